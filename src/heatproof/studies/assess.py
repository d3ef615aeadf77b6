"""Which of several checkpoints of one topology is the best network, without labels?"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from heatproof.data import Dataset
from heatproof.data.source import Files
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.measures.quality import SCORES
from heatproof.network.inputs import as_targets, check_images
from heatproof.network.network import Network
from heatproof.network.weights import load_weights, read_weights
from heatproof.options.signatures import takes
from heatproof.options.studies import AssessArguments, AssessOptions
from heatproof.perturbation import Protocol
from heatproof.report.studies.assessment import GALLERY_IMAGES
from heatproof.studies.assessment import Assessment
from heatproof.studies.road.cell_runs import Cell, WantedCells
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.preparing import first_pictures
from heatproof.studies.task import labelled
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress

Weights = str | Path | Mapping[str, Tensor]
Checkpoints = Sequence[str | Path] | Mapping[str, Weights]


@takes(AssessArguments)
def assess(network: Network, checkpoints: Checkpoints, options: AssessArguments) -> Assessment:
    """Compares checkpoints of one network by the quality of their heatmaps, which needs no labels [Samek2017].

    Each checkpoint predicts classes, explains its predictions, and the regions that it calls relevant are removed. All
    of them meet the same images, regions, replacement images and random orders.

    Args:
        network: the topology, with its preprocessing; its own weights do not matter.
        checkpoints: weight files in the order of training, or files or state dicts by name.
        options: one argument for each of them.

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
    sources, images = _named(checkpoints), options.images
    for name, weights in sources.items():
        last = loaded(network, name, weights)  # all are checked before anything is computed
    wanted = _wanted(options)
    check_images(images)
    try:
        last.check(images)
    except InputError as error:
        raise InputError(f"checkpoint {last.name}: {error}") from error
    progress, names = Progress(options.on_progress, len(sources)), labelled(options.names, images)
    known = None if options.labels is None else _checked(as_targets(options.labels, len(images)), last, images)
    cells = {}
    for checkpoint, weights in sources.items():
        other = loaded(network, checkpoint, weights)
        try:
            cells[checkpoint] = compared(other, images, wanted, progress, names=names, skipped=options.skipped)
        except InputError as error:
            raise InputError(f"checkpoint {checkpoint}: {error}") from error
    by_name = None if known is None else dict(zip(names, known.tolist(), strict=True))
    return Assessment(cells, method_name(options.method), network.name, by_name)


def wanted_assessment(
    options: AssessOptions,
    checkpoints: Sequence[Path],
    topology: str,
    opened: Callable[[str, Path], tuple[Network, Dataset]],
    labels: Mapping[str, int] | None,
) -> WantedCells:
    """An assessment that is computed as a run.

    Args:
        options: of the study.
        checkpoints: files of weights.
        topology: name of the network, whatever its weights.
        opened: gives the network with a checkpoint's name and weights, and the data set; picklable for other processes.
        labels: true class indices by name of the image, if known.

    Raises:
        InputError: for weights that do not fit, or labels that are no classes of the network.
    """
    named = {name: Path(str(path)) for name, path in _named(checkpoints).items()}
    for name, path in named.items():
        network, dataset = opened(name, path)  # all are checked before anything is computed
    pictures = first_pictures(Files(dataset, network.preprocessing), range(len(dataset)))
    network.check(pictures.images)
    if labels is not None:
        _checked(torch.tensor([labels[member.name] for member in dataset.members]), network, pictures.images)
    cells = {name: Cell(_wanted(options), partial(opened, name, path)) for name, path in named.items()}
    about = {"method": method_name(options.method), "topology": topology, "labels": labels and dict(labels)}
    return WantedCells("assess", cells, about)


def _wanted(options: AssessOptions) -> Wanted:
    """What is wanted of each checkpoint."""
    return Wanted(
        methods={method_name(options.method): options.method},
        protocol=Protocol.of(options),
        show=GALLERY_IMAGES,
        scores=SCORES[1:],
    )


def loaded(network: Network, name: str, weights: Weights) -> Network:
    """The network with other weights."""
    made = Network(network.module, preprocessing=network.preprocessing, name=name, classes=network.classes)
    tensors = weights if isinstance(weights, Mapping) else read_weights(Path(weights))
    load_weights(made.module, tensors, name if isinstance(weights, Mapping) else f"{name}{Path(weights).suffix}")
    return made


def method_name(method: str | OwnMethod | Tensor) -> str:
    """Name of the method in tables."""
    return method if isinstance(method, str) else "your method"


def _named(checkpoints: Sequence[str | Path] | Mapping[str, Weights]) -> dict[str, Weights]:
    """Checkpoints by name: that of the file, with as many folders before it as make names differ."""
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
            "leave the labels out (labels=None, --no-labels) to get everything except the accuracy"
        )
    return labels
