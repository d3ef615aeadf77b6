"""How complex are the heatmaps of each method: file sizes, entropy, sparsity?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from heatproof.data import Dataset
from heatproof.defaults import DEFAULT_METHODS
from heatproof.heatmaps.stored import MapFile
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import Protocol
from heatproof.report.studies.about import GALLERY_IMAGES
from heatproof.runs.objects import Store
from heatproof.runs.workers import Make, Workers
from heatproof.studies.complexity_study import Simplicity
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.running import Wanted, computed
from heatproof.studies.task import Methods
from heatproof.studies.watching import OnTotal, Progress


def complexity(
    network: Network,
    images: Tensor,
    methods: Methods = DEFAULT_METHODS,
    *,
    targets: Tensor | int | None = None,
    memory: int = DEFAULT_MEMORY,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    on_progress: OnTotal | None = None,
) -> Simplicity:
    """Measures how complex the heatmaps of each method are [Samek2017].

    A heatmap's picture is the one that reports show: one pixel per pixel, white without relevance, red for and blue
    against the class, in full colour from the 99.5 % quantile of |relevance| of that map. Measured are its file sizes
    as PNG and as JPEG of quality 90 and its entropy (lower is simpler), and the Gini coefficient of |relevance| (higher
    is simpler).

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        methods: as in ``compare``: names, or a mapping from your name to a name, a callable, heatmaps (N, H, W), or
            the ``Path`` of a file of them.
        targets: (N,) class indices, or one for all images; by default the predicted classes.
        memory: bytes that activations may take.
        names: of the images.
        skipped: pictures that could not be used, each with the reason.
        on_progress: called with the number of images done, and of all.

    Returns:
        A ``Simplicity``: ``.values``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = complexity(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "random"])
    >>> {name: values.shape for name, values in study.values["PNG"].items()}
    {'lrp-epsilon': (4,), 'random': (4,)}
    """
    found = compared(
        network,
        images,
        methods,
        Protocol(memory=memory),
        Progress(on_progress),
        targets=targets,
        names=names,
        removes=False,
        show=GALLERY_IMAGES,
        skipped=skipped,
    )
    return Simplicity(found)


def wanted_complexity(
    methods: Mapping[str, str | MapFile],
    *,
    seed: int,
    memory: int,
    configuration: Mapping[str, Any],
    study_file: str,
) -> Wanted:
    """The same as a run; ``configuration`` is all of it as JSON-able values."""
    return Wanted(
        methods=methods,
        protocol=Protocol(seed=seed, memory=memory),
        lerf=False,
        measures=(),
        rule=None,
        audit=0,
        configuration=configuration,
        study_file=study_file,
        show=GALLERY_IMAGES,
        removes=False,
        study="complexity",
    )


def run_complexity(
    wanted: Wanted,
    load: Callable[[], tuple[Network, Dataset]],
    store: Store,
    *,
    workers: Callable[[Make], Workers] | None = None,
    anew: bool = False,
    on_progress: OnTotal | None = None,
    reproduce: str = "",
) -> Simplicity:
    """Begins such a run, or resumes it, and finishes it; for the arguments see ``run_comparison``."""
    store.sweep()
    study = Simplicity(computed(wanted, load, store, Progress(on_progress), workers=workers, anew=anew))
    study.write_results(store, reproduce)
    return study
