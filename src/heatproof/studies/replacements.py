"""Which replacement takes information away, for one heatmap method?"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from heatproof.defaults import DEFAULT_METHOD, DEFAULT_REPLACEMENTS
from heatproof.errors import InputError
from heatproof.heatmaps import Conservation
from heatproof.heatmaps.explaining import Explained, OwnMethod
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import REPLACEMENTS, Curves, Protocol, perturb_orders
from heatproof.perturbation.orders import orders_of_heatmaps
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.between import BothCurves, ReplacementComparison
from heatproof.studies.task import Task, labelled, notes_on
from heatproof.studies.watching import Clock, OnTotal, Progress


def compare_replacements(
    network: Network,
    images: Tensor,
    replacements: Sequence[str] = DEFAULT_REPLACEMENTS,
    *,
    method: str | OwnMethod | Tensor = DEFAULT_METHOD,
    targets: Tensor | int | None = None,
    regions: int | str | Tensor = 9,
    steps: int | str | None = None,
    repeats: int = 1,
    seed: int = 0,
    score: str = "logit",
    engine: str = "auto",
    memory: int = DEFAULT_MEMORY,
    statistics: Statistics | str | Path | None = None,
    scored: int | None = None,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    on_progress: OnTotal | None = None,
) -> ReplacementComparison:
    """Compares what a removed region becomes by the area between the MoRF and LeRF curves (ABPC) [Samek2017].

    All replacements meet the same images, heatmaps, regions and orders, so differences are paired.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        replacements: names with options (``heatproof list replacements``); by default the paper's four.
        method: of the heatmaps: a name, your own callable ``(network, images, targets) -> (N, H, W)``, or the heatmaps
            (N, H, W).
        targets: (N,) class indices, or one for all images; by default the predicted classes.
        regions: size of the grid's regions in pixels, "pixels", superpixels such as "slic[segments=100]", or a map of
            region indices (H, W) or (N, H, W).
        steps: number L of regions to remove; or "all"; by default 100, or all where there are fewer.
        repeats: how often, each time with other random draws.
        seed: of all random draws.
        score: of the target: "logit" (the paper's), "probability", "log_probability" or "margin".
        engine: "full" evaluates the whole network at each step; "incremental" only what the step touches; "auto" takes
            what is faster, as measured, and "full" for replacements that depend on all that is removed.
        memory: bytes that activations and images may take.
        statistics: of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by default
            those of ``images``.
        scored: at how many of the steps the score is evaluated, one drawn at random in each of as many strata, for each
            image and repeat; by default at all. Means over steps stay unbiased.
        names: of the images, for tables and pictures.
        skipped: pictures that could not be used, each with the reason; they are counted in the result.
        on_progress: called with the number of network evaluations done, and of those in all.

    Returns:
        A ``ReplacementComparison``: ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    Raises:
        InputError: for replacements that are not known or stand twice, or an engine that cannot follow one.

    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare_replacements(network, torch.rand(4, 3, 18, 18), ["uniform", "blur[sigma=2]"])
    >>> sorted(study.abpc), study.both["uniform"].morf.scores.shape
    (['blur[sigma=2]', 'uniform'], torch.Size([4, 1, 5]))
    """
    shared = Protocol(
        "uniform", regions, steps, repeats, seed, score, engine, memory, as_statistics(statistics), scored
    )
    wanted = _wanted(replacements, shared)
    name = method if isinstance(method, str) else getattr(method, "__name__", "given heatmaps")
    task = Task.of(network, images, {name: method}, targets, shared)
    protocols = _fitted(wanted, images)
    labels, clock, without_graph = labelled(names, images), Clock(), network.without_graph(task.shape)
    progress = Progress(len(images) * len(protocols) * (1 + 2 * repeats * task.scored), on_progress)
    parts: list[dict[str, BothCurves]] = []
    batches: list[Explained] = []
    for part, batch in clock.timed("heatmaps", task.explained()):
        batches.append(batch)
        with clock.timing("perturbation"):
            parts.append(_perturbed(task, part, batch, protocols, progress))
    curves = {spec: _joined([found[spec] for found in parts]) for spec in protocols}
    most = max((both.engine for both in curves.values()), key=lambda engine: engine.nodes_on_windows)
    conserved = [batch.conservation[name] for batch in batches if name in batch.conservation]
    return ReplacementComparison(
        network=network.describe(),
        names=labels,
        images=images,
        classes=tuple(network.class_name(int(target)) for batch in batches for target in batch.targets),
        method=name,
        heatmaps=torch.cat([batch.heatmaps[name] for batch in batches]),
        regions=task.regions,
        both=curves,
        conservation=Conservation.join(conserved) if conserved else None,
        skipped=tuple(skipped),
        notes=(
            *network.notes,
            *([without_graph] if without_graph else []),
            *notes_on(*protocols.values()),
        ),
        work=clock.work(progress.total, most),
    )


def _wanted(replacements: Sequence[str], shared: Protocol) -> list[Protocol]:
    """A protocol for each replacement."""
    if isinstance(replacements, str):
        raise TypeError(f"replacements must be a list of names, got the text {replacements!r}")
    if not replacements or len(set(map(REPLACEMENTS.meaning, replacements))) < len(replacements):
        raise InputError(
            f"replacements must name at least one, and none twice, got {', '.join(replacements) or 'none'}"
        )
    return [replace(shared, replacement=spec) for spec in replacements]


def _fitted(protocols: Sequence[Protocol], images: Tensor) -> dict[str, Protocol]:
    """Protocols by replacement; those that are fitted to a data set share its statistics."""
    asking = [protocol for protocol in protocols if protocol.uses_statistics]
    statistics = asking[0].fitted(images).statistics if asking else None
    return {protocol.replacement: replace(protocol, statistics=statistics) for protocol in protocols}


def _perturbed(
    task: Task, part: slice, batch: Explained, protocols: dict[str, Protocol], progress: Progress
) -> dict[str, BothCurves]:
    """Curves of some of the images, most relevant first and least relevant first, by replacement."""
    (heatmaps,) = batch.heatmaps.values()
    regions, ids, seed = task.regions[part], task.identities[part], task.protocol.seed
    orders = {
        order: orders_of_heatmaps(heatmaps, regions, order=order, steps=task.steps, seed=seed, ids=ids)
        for order in ("morf", "lerf")
    }
    return {
        spec: BothCurves(**{
            order: replace(curves, order=order, protocol=protocol)
            for order, curves in perturb_orders(
                task.network, task.images[part], orders, batch.targets, replace(protocol, regions=regions), ids,
                progress.add,
            ).items()
        })
        for spec, protocol in protocols.items()
    }  # fmt: skip


def _joined(parts: Sequence[BothCurves]) -> BothCurves:
    return BothCurves(Curves.joined([part.morf for part in parts]), Curves.joined([part.lerf for part in parts]))
