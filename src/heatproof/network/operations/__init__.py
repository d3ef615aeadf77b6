"""Every operation that a graph can have, one file per family; importing a family registers it."""

from heatproof.network.operations import (  # noqa: F401 - imported to register
    activation,
    arithmetic,
    normalization,
    pooling,
    rearrangement,
    weighted,
)
from heatproof.network.operations.operation import OPERATIONS, Call, Operation, Record, Signals, Variable, Way

__all__ = ["OPERATIONS", "Call", "Operation", "Record", "Signals", "Variable", "Way"]
