"""Which protocol can judge on this network, and which does so most clearly?"""

from collections.abc import Mapping

from torch import Tensor

from heatproof.defaults import ALL
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.options.signatures import takes
from heatproof.options.studies import ProtocolsArguments, ProtocolsOptions
from heatproof.perturbation import Protocol
from heatproof.perturbation.protocols import PROTOCOLS, named, protocol_of
from heatproof.results.part import IN_SCOPE
from heatproof.studies.protocol_comparison import ProtocolComparison
from heatproof.studies.road.cell_runs import Cell, WantedCells
from heatproof.studies.road.in_memory import compared
from heatproof.studies.road.running import Opened
from heatproof.studies.task import Method, Methods, named_methods, with_controls
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


@takes(ProtocolsArguments)
def compare_protocols(network: Network, images: Tensor, options: ProtocolsArguments) -> ProtocolComparison:
    """Compares protocols by how clearly each tells maps from controls (docs/protocol.md).

    Under each protocol, methods and controls are removed in both orders; a protocol can judge if the best map lies
    above the maps that never saw the network, and if removing these first harms no less than removing at random.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1]. They choose the protocol: judge methods on others.
        options: one argument for each of them.

    Returns:
        A ``ProtocolComparison``: ``.candidates``, ``.recommended``, ``.table()``, ``.verdict``, ``.report(path)``,
        ``.save(folder)``.

    Raises:
        InputError: for protocols that are not known, stand twice, or remove in one order only.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare_protocols(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon"], candidates=["large-blur"])
    >>> list(study.candidates)
    ['large-blur']
    """
    progress = Progress(options.on_progress, len(options.candidates))
    cells = {
        name: compared(
            network,
            images,
            wanted,
            progress,
            targets=options.targets,
            names=options.names,
            skipped=options.skipped,
        )
        for name, wanted in _wanted(options, options.methods).items()
    }
    return ProtocolComparison(cells, next(iter(named_methods(options.methods))))


def wanted_protocols(options: ProtocolsOptions, methods: Methods, opened: Opened) -> WantedCells:
    """A comparison of protocols that is computed as a run."""
    cells = {name: Cell(wanted, opened) for name, wanted in _wanted(options, methods).items()}
    return WantedCells("protocol", cells, {"method": next(iter(named_methods(methods)))})


def _wanted(options: ProtocolsOptions, methods: Methods) -> dict[str, Wanted]:
    """What is wanted under each protocol, by name."""
    names = list(options.candidates)
    if isinstance(options.candidates, str):
        raise TypeError(f"candidates must be a list of names, got the text {options.candidates!r}")
    if not names or len({PROTOCOLS.meaning(name) for name in names}) < len(names):
        raise InputError(
            f"candidates must name at least one protocol, and none twice, got {', '.join(names) or 'none'}"
        )
    for name in names:
        if not named(name).symmetric:
            raise InputError(
                f"candidates must be protocols of both orders, got {name!r}; see 'heatproof list protocols'"
            )
    controlled = with_controls(named_methods(methods), symmetric=True)
    return {name: _wanted_of(protocol_of(options, name), controlled) for name in names}


def _wanted_of(protocol: Protocol, methods: Mapping[str, Method]) -> Wanted:
    """What is wanted under one protocol, and R-OMS, which needs all regions to go."""
    scope = protocol.steps == ALL and protocol.score != IN_SCOPE
    return Wanted(methods=methods, protocol=protocol, lerf=True, symmetric=True, show=0, scope=scope)
