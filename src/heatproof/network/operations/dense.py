"""Dense layers."""

from dataclasses import dataclass
from math import prod
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.network.operations.attention import MatMul
from heatproof.network.operations.call import Call, Variable
from heatproof.network.operations.operation import Operation, Role, operation
from heatproof.network.operations.weighted import Weighted

POSITIONS = 512  # that a dense layer reads at once, from which on a convolution is faster


@operation("linear.default", "matmul.default", "mm.default", "addmm.default")
@dataclass(frozen=True)
class Linear(Weighted):
    """A fully connected layer over the last dimension."""

    channels_at = -1

    @classmethod
    def of(cls, call: Call) -> Self:
        """The layer with the constants of a call."""
        weight, bias = call.arguments["weight"], call.arguments["bias"]
        return cls(weight, None if bias is None else _one_each(bias, len(weight)))

    @classmethod
    def read(cls, call: Call) -> Operation:
        """Reads the constants, also of ``x @ W``; another matrix product is one of two signals."""
        if call.name == "linear.default":
            return super().read(call)
        given = call.arguments
        names = ("mat1", "mat2") if call.name == "addmm.default" else ("self", "mat2" if "mat2" in given else "other")
        value, matrix = (given[name] for name in names)
        bias = given["self"] if call.name == "addmm.default" else None
        plain = given.get("alpha", 1) == 1 and given.get("beta", 1) == 1
        if not plain or not isinstance(value, Variable) or not isinstance(matrix, Tensor) or matrix.ndim != 2:
            return MatMul.read(call)
        weight = matrix.t().contiguous()
        if bias is None:
            return cls(weight, None)
        if isinstance(bias, Tensor) and (bias.numel() == 1 or bias.shape[-1] == bias.numel() == len(weight)):
            return cls(weight, _one_each(bias, len(weight)))
        return MatMul.read(call)

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The matrix product under these weights and biases."""
        if _by_convolution(inputs):
            return _over_positions(inputs, weight, bias)
        if inputs.ndim != 2 or inputs.device.type != "cpu":
            return F.linear(inputs.contiguous(), weight, bias)  # half the speed on transposed tokens
        # the same product transposed: MKL is up to half as fast again with the large matrix on the left
        columns = inputs.t()
        return (weight @ columns if bias is None else torch.addmm(bias[:, None], weight, columns)).t()

    def role(self, shape: tuple[int, ...]) -> Role:
        """A dense layer, or at each position of a map (H, W, C) a convolution with 1 × 1 kernels."""
        return "convolution" if len(shape) == 3 else "dense"

    def reads_out(self, shape: tuple[int, ...]) -> bool:
        """Where it reads vectors."""
        return len(shape) == 1

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """All weights for each vector."""
        return self.weight.numel() * prod(shape[:-1])

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The transposed matrix product."""
        return _over_positions(signal, weight.t()) if _by_convolution(signal) else signal @ weight


def _one_each(bias: Tensor, outputs: int) -> Tensor:
    """(outputs,) a bias that may be one number for all; ``mkldnn_convolution`` reads it as if it lay in one piece."""
    return bias.flatten().expand(outputs).contiguous()


def _by_convolution(inputs: Tensor) -> bool:
    """Whether a dense layer over all these positions (…, C) is computed by oneDNN's convolution.

    Measured: that is up to 1.3 times as fast as MKL's matrix product, but reorders the weights at each call.
    """
    has_values = type(inputs) is Tensor  # one that stands for a shape alone has none
    fits = has_values and inputs.device.type == "cpu" and inputs.dtype == torch.float32 and inputs.ndim > 2
    return fits and inputs.shape[:-1].numel() >= POSITIONS and torch.backends.mkldnn.is_available()


def _over_positions(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A dense layer as the convolution with 1 × 1 kernels that it is."""
    positions = inputs.contiguous().reshape(1, 1, -1, inputs.shape[-1]).permute(0, 3, 1, 2)  # (1, C, 1, all)
    found = torch.mkldnn_convolution(positions, weight[:, :, None, None], bias, (0, 0), (1, 1), (1, 1), 1)
    return found.permute(0, 2, 3, 1).reshape(*inputs.shape[:-1], len(weight))
