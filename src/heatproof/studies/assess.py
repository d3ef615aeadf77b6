"""Which of several checkpoints of one topology is the best network, without labels?"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from heatproof.data import Dataset
from heatproof.data.source import Files
from heatproof.defaults import DEFAULT_METHOD
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.measures.quality import SCORES
from heatproof.network.inputs import as_targets, check_images
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.network.weights import load_weights, read_weights
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.report.studies.assessment import GALLERY_IMAGES
from heatproof.studies.assessment import Assessment
from heatproof.studies.road.cell_runs import Cell, WantedCells
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.preparing import first_pictures
from heatproof.studies.road.running import Wanted
from heatproof.studies.task import labelled
from heatproof.studies.watching import OnTotal, Progress

Weights = str | Path | Mapping[str, Tensor]


def assess(
    network: Network,
    checkpoints: Sequence[str | Path] | Mapping[str, Weights],
    images: Tensor,
    *,
    method: str | OwnMethod = DEFAULT_METHOD,
    labels: Tensor | None = None,
    replacement: str = "uniform",
    regions: int | str | Tensor = 9,
    steps: int | str | None = None,
    repeats: int = 1,
    seed: int = 0,
    engine: str = "auto",
    memory: int = DEFAULT_MEMORY,
    statistics: Statistics | str | Path | None = None,
    scored: int | None = None,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    on_progress: OnTotal | None = None,
) -> Assessment:
    """Judges checkpoints of one network by the quality of their heatmaps, which needs no labels [Samek2017].

    Each checkpoint predicts classes, explains its predictions, and the regions that it calls relevant are removed. All
    of them meet the same images, regions, replacement images and random orders.

    Args:
        network: the topology, with its preprocessing; its own weights do not matter.
        checkpoints: weight files in the order of training, or files or state dicts by name.
        images: (N, C, H, W) RGB in [0, 1].
        method: of the heatmaps: a name, or your own callable ``(network, images, targets) -> (N, H, W)``.
        labels: (N,) true class indices, if known: then the accuracy stands beside the rest, with rank correlations.
        replacement: what a removed region becomes.
        regions: size of the grid's regions in pixels (small images want small ones: 4 for 32 × 32), "pixels",
            superpixels such as "slic[segments=100]", or a map of region indices (H, W) or (N, H, W).
        steps: number L of regions to remove; or "all"; by default 100, or all where there are fewer.
        repeats: how often, each time with another replacement image and another random order.
        seed: of all random draws.
        engine: "full", "incremental", or "auto".
        memory: bytes that activations and images may take.
        statistics: of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by default
            those of ``images``.
        scored: at how many of the steps the score is evaluated, one drawn at random in each of as many strata, for each
            image and repeat; by default at all. Means over steps stay unbiased.
        names: of the images.
        skipped: pictures that could not be used, each with the reason; they are counted in the result.
        on_progress: called with the number of network evaluations done, and of those in all.

    Returns:
        An ``Assessment``: ``.table()``, ``.correlations()``, ``.verdict``, ``.figures()``, ``.report(path)``,
        ``.save(folder)``. Of all its quantities higher is better.

    Raises:
        InputError: for weights that do not fit, before anything is computed.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> weights = network.module.state_dict()
    >>> larger = weights | {name: 3 * weights[name] for name in ("3.weight", "3.bias")}
    >>> study = assess(network, {"small": weights, "large": larger}, torch.rand(4, 3, 18, 18), regions=6)
    >>> small, large = study.series["AOPC"].values()
    >>> round(float(large / small), 3)
    3.0
    """
    sources = _named(checkpoints)
    for name, weights in sources.items():
        last = loaded(network, name, weights)  # all are checked before anything is computed
    protocol = Protocol(
        replacement, regions, steps, repeats, seed, "logit", engine, memory, as_statistics(statistics), scored
    )
    check_images(images)
    try:
        last.check(images)
    except InputError as error:
        raise InputError(f"checkpoint {last.name}: {error}") from error
    name, progress = method_name(method), Progress(on_progress, len(sources))
    image_names = labelled(names, images)
    known = None if labels is None else _checked(as_targets(labels, len(images)), last, images)
    cells = {}
    for checkpoint, weights in sources.items():
        try:
            cells[checkpoint] = compared(
                loaded(network, checkpoint, weights),
                images,
                {name: method},
                protocol,
                progress,
                names=image_names,
                scores=SCORES[1:],
                show=GALLERY_IMAGES,
                skipped=skipped,
            )
        except InputError as error:
            raise InputError(f"checkpoint {checkpoint}: {error}") from error
    by_name = None if known is None else dict(zip(image_names, known.tolist(), strict=True))
    return Assessment(cells, name, network.name, by_name)


def wanted_assessment(
    checkpoints: Sequence[Path],
    method: str,
    protocol: Protocol,
    load: Callable[[str, Path], tuple[Network, Dataset]],
    labels: Mapping[str, int] | None,
    configuration: Mapping[str, Any],
    study_file: str,
) -> WantedCells:
    """The same as a run.

    Args:
        checkpoints: files of weights.
        method: of the heatmaps.
        protocol: how regions are removed.
        load: the network with a checkpoint's name and weights, and the data set; picklable for other processes.
        labels: true class indices by name of the image, if known.
        configuration: all of it as JSON-able values.
        study_file: the text of a file that asks for the same.

    Raises:
        InputError: for weights that do not fit, or labels that are no classes of the network.
    """
    named = {name: Path(str(path)) for name, path in _named(checkpoints).items()}
    for name, path in named.items():
        network, dataset = load(name, path)  # all are checked before anything is computed
    pictures = first_pictures(Files(dataset, network.preprocessing), range(len(dataset)))
    network.check(pictures.images)
    if labels is not None:
        _checked(torch.tensor([labels[member.name] for member in dataset.members]), network, pictures.images)
    wanted = Wanted(
        methods={method: method},
        protocol=protocol,
        lerf=False,
        measures=(),
        rule=None,
        audit=0,
        configuration={},
        show=GALLERY_IMAGES,
        scores=SCORES[1:],
    )
    cells = [
        Cell(name, replace(wanted, configuration={"checkpoint": name}), partial(load, name, path))
        for name, path in named.items()
    ]
    about = {"method": method, "topology": network.name, "labels": labels and dict(labels)}
    return WantedCells("assess", cells, about, configuration, study_file)


def loaded(network: Network, name: str, weights: Weights) -> Network:
    """The same topology with other weights."""
    made = Network(network.module, preprocessing=network.preprocessing, name=name, classes=network.classes)
    tensors = weights if isinstance(weights, Mapping) else read_weights(Path(weights))
    load_weights(made.module, tensors, name if isinstance(weights, Mapping) else f"{name}{Path(weights).suffix}")
    return made


def method_name(method: str | OwnMethod) -> str:
    """For tables."""
    return method if isinstance(method, str) else "your method"


def _named(checkpoints: Sequence[str | Path] | Mapping[str, Weights]) -> dict[str, Weights]:
    """Checkpoints by name: that of the file, with as many folders before it as tell them apart."""
    if isinstance(checkpoints, str | Path):
        raise TypeError(f"checkpoints must be a list of files, or weights by name, got {checkpoints!r}")
    if not checkpoints:
        raise InputError("expected at least one checkpoint, got none")
    if isinstance(checkpoints, Mapping):
        return dict(checkpoints)
    paths = [Path(path).absolute() for path in checkpoints]
    if len(set(paths)) < len(paths):
        raise InputError("checkpoints must be different files, got one of them twice")
    above = Path(os.path.commonpath([path.parent for path in paths]))
    return {str(path.relative_to(above).with_suffix("")): path for path in paths}


def _checked(labels: Tensor, network: Network, images: Tensor) -> Tensor:
    """Labels (N,) that are classes of the network; images are some of them."""
    labels = as_targets(labels, len(labels)).cpu()
    classes = network.logits(images[:1]).shape[1]
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise InputError(
            f"labels must be classes of the network, 0 … {classes - 1}, got {int(labels.min())} … {int(labels.max())}; "
            "without labels (labels=None, --no-labels) everything but the accuracy is found all the same"
        )
    return labels
