"""What heatproof has no rule for: evaluated and differentiated as a whole."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from heatproof.network.operations.call import Call
from heatproof.network.operations.operation import Operation


class Opaque(Operation):
    """An operation that is evaluated in full and differentiated by autograd; other ways back stop here.

    Args:
        function: computes it, from the values that it reads.
        reason: why no rule leads back through it.
        index: which of several results it is.
    """

    def __init__(self, function: Callable[..., Any], reason: str, index: int | None = None) -> None:
        self.function = function
        self.index = index
        self.refuses = {"deconvolution": reason, "relevance": reason}

    @classmethod
    def call(cls, call: Call, index: int | None = None) -> "Opaque":
        """A call of an operation that heatproof does not know."""
        return cls(call, f"heatproof does not know the operation {call.name}", index)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The value, or one of them."""
        value = self.function(*inputs)
        chosen: Tensor = value if self.index is None else value[self.index]
        return chosen


class Autocast(Opaque):
    """A part of a network that is computed in another precision."""

    def __init__(self, function: Callable[..., Any], index: int, device: str, dtype: torch.dtype | None) -> None:
        def computed(*inputs: Tensor) -> Any:  # noqa: ANN401 - whatever the part returns
            with torch.autocast(device, dtype=dtype):
                return function(*inputs)

        super().__init__(computed, "no rule leads through a part in another precision (autocast)", index)
