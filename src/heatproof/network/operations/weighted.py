"""Weighted sums: convolutions and dense layers."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.operations.operation import Call, Operation, Record, Signals, Variable, operation
from heatproof.network.operations.reach import Reach
from heatproof.network.rules import Rule, split


@dataclass(frozen=True)
class Weighted(Operation):
    """A sum of inputs times weights plus a bias; a relevance rule decides how relevance passes."""

    weight: Tensor
    bias: Tensor | None

    taped = False

    @cached_property
    def split_weight(self) -> tuple[Tensor, Tensor]:
        """The positive and the negative part of the weights."""
        return split(self.weight)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The weighted sum."""
        return self.weigh(inputs[0], self.weight, self.bias)

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """As the rule says."""
        assert rule is not None, "a weighted sum needs a rule"
        return (rule.propagate(self, record.inputs[0], record.output, relevance),)

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The sum under these weights and biases."""
        raise NotImplementedError

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The signal of the output, sent back through these weights to the shape of ``inputs``."""
        raise NotImplementedError

    def gradient(self, record: Record, signal: Tensor) -> Signals:
        """The signal through the weights."""
        return (self.pull(signal, self.weight, record.inputs[0]),)


@operation("conv2d.default", "conv2d.padding")
@dataclass(frozen=True)
class Convolution(Weighted):
    """A two-dimensional convolution with any stride, padding, dilation and groups."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @classmethod
    def read(cls, call: Call) -> Self:
        """Reads the constants; weights that are computed from the image are refused."""
        given = call.arguments
        weight, bias = _constant_weights(call)
        dilation = _pair(given["dilation"])
        padding = given["padding"]
        if isinstance(padding, str):
            padding = _named_padding(padding, weight, dilation)
        # channels-last is the faster layout of convolutions on CPUs and on tensor cores
        return cls(
            weight=weight.contiguous(memory_format=torch.channels_last),
            bias=bias,
            stride=_pair(given["stride"]),
            padding=_pair(padding),
            dilation=dilation,
            groups=int(given["groups"]),
        )

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The convolution under these weights and biases."""
        return F.conv2d(inputs, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def reach(self, *shapes: tuple[int, ...]) -> Reach:
        """The kernel, where it lies."""
        height, width = ((k - 1) * d + 1 for k, d in zip(self.weight.shape[2:], self.dilation, strict=True))
        return Reach((height, width), self.stride, self.padding)

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """The convolution without padding."""
        return F.conv2d(inputs[0], self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """All weights at each position."""
        return self.weight.numel() * prod(shape[1:])

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The transposed convolution, in the shape of ``inputs``."""
        backward: tuple[Tensor, None, None] = torch.ops.aten.convolution_backward(
            signal, inputs.detach(), weight, None, self.stride, self.padding, self.dilation,
            False, (0, 0), self.groups, (True, False, False),
        )  # fmt: skip
        return backward[0]

    def scaled(self, scale: Tensor, shift: Tensor) -> "Convolution":
        """This convolution followed by ``scale · z + shift`` per channel, as one convolution (computed in float64)."""
        bias = torch.zeros_like(shift) if self.bias is None else self.bias
        weight = self.weight.double() * scale.double().reshape(-1, 1, 1, 1)
        return replace(
            self,
            weight=weight.to(self.weight).contiguous(memory_format=torch.channels_last),
            bias=(bias.double() * scale.double() + shift.double()).to(bias),
        )


@operation("linear.default")
@dataclass(frozen=True)
class Dense(Weighted):
    """A fully connected layer over the last dimension."""

    @classmethod
    def read(cls, call: Call) -> Self:
        """Reads the constants; weights that are computed from the image are refused."""
        weight, bias = _constant_weights(call)
        return cls(weight=weight, bias=bias)

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The matrix product under these weights and biases."""
        if inputs.ndim != 2 or inputs.device.type != "cpu":
            return F.linear(inputs, weight, bias)
        # the same product transposed: MKL is up to half as fast again with the large matrix on the left
        columns = inputs.t()
        return (weight @ columns if bias is None else torch.addmm(bias[:, None], weight, columns)).t()

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """All weights for each vector."""
        return self.weight.numel() * prod(shape[:-1])

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The transposed matrix product."""
        return signal @ weight


def _constant_weights(call: Call) -> tuple[Tensor, Tensor | None]:
    weight, bias = call.arguments["weight"], call.arguments["bias"]
    if isinstance(weight, Variable) or isinstance(bias, Variable):
        raise InputError(f"{call.function}: weights that are computed from the image are not supported")
    return weight, bias


def _pair(value: int | list[int]) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _named_padding(name: str, weight: Tensor, dilation: tuple[int, int]) -> list[int]:
    if name == "valid":
        return [0, 0]
    spans = [step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
    if any(span % 2 for span in spans):
        raise InputError("convolution with padding='same' and an even kernel pads unevenly, which is not supported")
    return [span // 2 for span in spans]
