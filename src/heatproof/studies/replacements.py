"""Which replacement takes information away, for one heatmap method?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from heatproof.data import Dataset
from heatproof.defaults import DEFAULT_METHOD, DEFAULT_REPLACEMENTS
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import REPLACEMENTS, Protocol
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.comparison import Comparison
from heatproof.studies.replacement_comparison import ReplacementComparison
from heatproof.studies.road.cell_runs import Cell, WantedCells
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.running import Wanted
from heatproof.studies.watching import OnTotal, Progress


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

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare_replacements(network, torch.rand(4, 3, 18, 18), ["uniform", "blur[sigma=2]"])
    >>> sorted(study.abpc), study.both["uniform"].morf.scores.shape
    (['blur[sigma=2]', 'uniform'], torch.Size([4, 1, 5]))
    """
    shared = Protocol(
        "uniform", regions, steps, repeats, seed, score, engine, memory, as_statistics(statistics), scored
    )
    name = method if isinstance(method, str) else getattr(method, "__name__", "given heatmaps")
    protocols, progress = protocols_of(replacements, shared), Progress(on_progress, len(replacements))
    cells: dict[str, Comparison] = {}
    for protocol in protocols:
        first = next(iter(cells.values()), None)
        cells[protocol.replacement] = compared(
            network,
            images,
            {name: first.heatmaps[name] if first else method},
            protocol,
            progress,
            targets=first.found.targets if first else targets,
            names=names,
            lerf=True,
            reference=False,
            skipped=skipped,
        )
    return ReplacementComparison(cells, name)


def wanted_replacements(
    replacements: Sequence[str],
    method: str,
    shared: Protocol,
    load: Callable[[], tuple[Network, Dataset]],
    configuration: Mapping[str, Any],
    study_file: str,
) -> WantedCells:
    """The same as a run: ``shared`` says how regions are removed, but for the replacement."""
    cells = [
        Cell(
            protocol.replacement,
            Wanted(
                methods={method: method},
                protocol=protocol,
                lerf=True,
                measures=(),
                rule=None,
                audit=0,
                configuration={"replacement": protocol.replacement},
                reference=False,
            ),
            load,
        )
        for protocol in protocols_of(replacements, shared)
    ]
    return WantedCells("replacements", cells, {"method": method}, configuration, study_file)


def protocols_of(replacements: Sequence[str], shared: Protocol) -> list[Protocol]:
    """A protocol for each replacement."""
    if isinstance(replacements, str):
        raise TypeError(f"replacements must be a list of names, got the text {replacements!r}")
    if not replacements or len(set(map(REPLACEMENTS.meaning, replacements))) < len(replacements):
        raise InputError(
            f"replacements must name at least one, and none twice, got {', '.join(replacements) or 'none'}"
        )
    return [replace(shared, replacement=spec) for spec in replacements]
