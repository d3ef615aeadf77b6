"""Which replacement takes information away, for one heatmap method?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.options.signatures import takes
from heatproof.options.studies import ReplacementsArguments, ReplacementsOptions
from heatproof.perturbation import REPLACEMENTS, Protocol
from heatproof.studies.comparison import Comparison
from heatproof.studies.replacement_comparison import ReplacementComparison
from heatproof.studies.road.cell_runs import Cell, WantedCells
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.running import Opened
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress

BOTH_ORDERS: dict[str, Any] = {"lerf": True, "reference": False}


@takes(ReplacementsArguments)
def compare_replacements(network: Network, images: Tensor, options: ReplacementsArguments) -> ReplacementComparison:
    """Compares what a removed region becomes by the area between the MoRF and LeRF curves (ABPC) [Samek2017].

    All replacements meet the same images, heatmaps, regions and orders, so differences are paired.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

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
    method = options.method
    name = method if isinstance(method, str) else getattr(method, "__name__", "given heatmaps")
    protocols, cells = protocols_of(options.replacements, Protocol.of(options)), dict[str, Comparison]()
    progress = Progress(options.on_progress, len(protocols))
    for protocol in protocols:
        first = next(iter(cells.values()), None)
        cells[protocol.replacement] = compared(
            network,
            images,
            Wanted(methods={name: first.heatmaps[name] if first else method}, protocol=protocol, **BOTH_ORDERS),
            progress,
            targets=first.found.targets if first else options.targets,
            names=options.names,
            skipped=options.skipped,
        )
    return ReplacementComparison(cells, name)


def wanted_replacements(options: ReplacementsOptions, opened: Opened) -> WantedCells:
    """The same as a run."""
    method = str(options.method)
    cells = {
        protocol.replacement: Cell(Wanted(methods={method: method}, protocol=protocol, **BOTH_ORDERS), opened)
        for protocol in protocols_of(options.replacements, Protocol.of(options))
    }
    return WantedCells("replacements", cells, {"method": method})


def protocols_of(replacements: Sequence[str], shared: Protocol) -> list[Protocol]:
    """A protocol for each replacement."""
    if isinstance(replacements, str):
        raise TypeError(f"replacements must be a list of names, got the text {replacements!r}")
    if not replacements or len(set(map(REPLACEMENTS.meaning, replacements))) < len(replacements):
        raise InputError(
            f"replacements must name at least one, and none twice, got {', '.join(replacements) or 'none'}"
        )
    return [replace(shared, replacement=spec) for spec in replacements]
