"""Every operation that a graph can have, one file per family."""

from heatproof.network.operations.call import Call, PerImage, Size, Variable
from heatproof.network.operations.operation import (
    OPERATIONS,
    Opaque,
    Operation,
    Positions,
    Role,
    Signals,
    Softmaxes,
    Trace,
    Way,
)
from heatproof.network.operations.relevance import RelevanceRule
from heatproof.registry import import_modules

__all__ = [
    "OPERATIONS", "Call", "Opaque", "Operation", "PerImage", "Positions", "RelevanceRule", "Role", "Signals",
    "Size", "Softmaxes", "Trace", "Variable", "Way",
]  # fmt: skip

import_modules(__name__)  # their decorators register the operations
