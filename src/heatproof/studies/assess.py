"""Which of several checkpoints of one topology is the best network, without labels?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from heatproof.defaults import DEFAULT_METHOD
from heatproof.errors import InputError
from heatproof.heatmaps import Conservation
from heatproof.heatmaps.explaining import Explained, OwnMethod
from heatproof.measures.quality import SCORES, Perturbed
from heatproof.network.inputs import as_targets, check_images
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.network.weights import load_weights, read_weights
from heatproof.perturbation import Curves, Protocol
from heatproof.perturbation.engine import least_on_windows
from heatproof.perturbation.perturbing import perturb_scores
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.assessment import GALLERY_IMAGES, Assessment, Checkpoint
from heatproof.studies.task import REFERENCE, Key, Task, labelled, notes_on
from heatproof.studies.watching import Clock, OnTotal, Progress

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
    task = Task.of(last, images, {method_name(method): method}, None, protocol)
    image_names, labels = labelled(names, images), _checked(labels, task)
    clock = Clock()
    progress = Progress(len(sources) * task.evaluations, on_progress)
    found = {
        name: judged(replace(task, network=loaded(network, name, weights)), labels, clock, progress)
        for name, weights in sources.items()
    }
    without_graph = last.without_graph(task.shape)
    curves = [checkpoint.perturbed.morf["logit"] for checkpoint in found.values()]
    return Assessment(
        topology=network.name,
        method=method_name(method),
        names=image_names,
        images=images[:GALLERY_IMAGES],
        checkpoints=found,
        protocol=task.protocol,
        skipped=tuple(skipped),
        notes=(*([without_graph] if without_graph else []), *notes_on(task.protocol)),
        work=clock.work(progress.total, least_on_windows([curve.engine for curve in curves])),
    )


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


def _checked(labels: Tensor | None, task: Task) -> Tensor | None:
    """Labels (N,) that are classes of the network."""
    if labels is None:
        return None
    labels = as_targets(labels, len(task.images)).cpu()
    classes = task.network.logits(task.images[:1]).shape[1]
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise InputError(
            f"labels must be classes of the network, 0 … {classes - 1}, got {int(labels.min())} … {int(labels.max())}; "
            "without labels (labels=None, --no-labels) everything but the accuracy is found all the same"
        )
    return labels


def judged(task: Task, labels: Tensor | None, clock: Clock, progress: Progress) -> Checkpoint:
    """Curves of one checkpoint in all scores, and what else is told of it."""
    parts: list[dict[str, dict[Key, Curves]]] = []
    batches: list[Explained] = []
    try:
        for part, batch in clock.timed("heatmaps", task.explained()):
            batches.append(batch)
            with clock.timing("perturbation"):
                parts.append(_perturbed(task, part, batch, progress))
    except InputError as error:
        raise InputError(f"checkpoint {task.network.name}: {error}") from error
    (method,) = batches[0].heatmaps
    targets = torch.cat([batch.targets for batch in batches]).cpu()
    conserved = [batch.conservation[method] for batch in batches if method in batch.conservation]
    return Checkpoint(
        network=task.network.describe(),
        perturbed=Perturbed(_whole(parts, (method, "morf")), _whole(parts, (REFERENCE, "random"))),
        heatmaps=torch.cat([batch.heatmaps[method] for batch in batches])[:GALLERY_IMAGES],
        conservation=Conservation.join(conserved) if conserved else None,
        right=None if labels is None else (targets == labels).numpy(),
    )


def _perturbed(task: Task, part: slice, batch: Explained, progress: Progress) -> dict[str, dict[Key, Curves]]:
    """Curves of some of the images, by score, and by method and order."""
    local = replace(task.protocol, regions=task.regions[part])
    orders = task.orders(batch.heatmaps, part)
    ids = task.identities[part]
    return perturb_scores(task.network, task.images[part], orders, batch.targets, local, ids, SCORES, progress.add)


def _whole(parts: list[dict[str, dict[Key, Curves]]], key: Key) -> dict[str, Curves]:
    """Curves of all images, by score."""
    return {score: replace(Curves.joined([part[score][key] for part in parts]), order=key[1]) for score in SCORES}
