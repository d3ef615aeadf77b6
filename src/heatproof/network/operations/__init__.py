"""Every operation that a graph can have, one file per family; importing a family registers it."""

from heatproof.network.operations import (  # noqa: F401 - imported to register
    activation,
    arithmetic,
    normalization,
    pooling,
    rearrangement,
    weighted,
)
from heatproof.network.operations.call import Call, PerImage, Size, Variable
from heatproof.network.operations.operation import OPERATIONS, Opaque, Operation, Role, Signals, Trace, Way
from heatproof.network.operations.relevance import RelevanceRule

__all__ = [
    "OPERATIONS", "Call", "Opaque", "Operation", "PerImage", "RelevanceRule", "Role", "Signals", "Size", "Trace",
    "Variable", "Way",
]  # fmt: skip
