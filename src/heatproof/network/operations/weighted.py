"""Weighted sums, and the convolutions among them; dense layers are in ``dense.py``."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.network.operations.call import Call, Variable
from heatproof.network.operations.operation import Opaque, Operation, Reach, Role, Signals, Trace, operation, pair
from heatproof.network.operations.relevance import RelevanceRule, split


@dataclass(frozen=True)
class Weighted(Operation):
    """A sum of inputs times weights plus a bias; a relevance rule decides how relevance passes."""

    weight: Tensor
    bias: Tensor | None

    taped = False
    fresh = True
    passes = "in proportion"
    channels_at: ClassVar[int] = 0  # the dimension of an image's output that holds its channels

    @classmethod
    def read(cls, call: Call) -> Operation:
        """Reads the constants; weights that are computed from the image have no rule."""
        if any(isinstance(call.arguments[name], Variable) for name in ("weight", "bias")):
            return Opaque(call, "no rule is defined for weights that are computed from the image")
        return cls.of(call)

    @classmethod
    def of(cls, call: Call) -> Self:
        """The weighted sum with the constants of a call."""
        return cls(call.arguments["weight"], call.arguments["bias"])

    @cached_property
    def split_weight(self) -> tuple[Tensor, Tensor]:
        """The positive and the negative part of the weights."""
        return split(self.weight)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The weighted sum."""
        return self.weigh(inputs[0], self.weight, self.bias)

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """The relevance that the rule sends back."""
        assert rule is not None, "a weighted sum needs a rule"
        return (rule.propagate(self, record.inputs[0], record.output, relevance),)

    @property
    def keeps(self) -> str:
        """Biases."""
        return "biases"

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The sum under these weights and biases."""
        raise NotImplementedError

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The signal of the output, sent back through these weights to the shape of ``inputs``."""
        raise NotImplementedError

    def role(self, shape: tuple[int, ...]) -> Role:
        """A convolution; a dense layer says otherwise."""
        return "convolution"

    def over_channels(self, values: Tensor) -> Tensor:
        """One value for each channel of the output, in a shape that broadcasts over it."""
        return values if self.channels_at == -1 else values.reshape(-1, 1, 1)

    def shifted(self, shift: Tensor) -> Self:
        """This weighted sum with so much added to each channel (computed in float64)."""
        bias = shift.double() if self.bias is None else self.bias.double() + shift.double()
        return replace(self, bias=bias.to(self.weight))

    def reads_out(self, shape: tuple[int, ...]) -> bool:
        """Whether each channel of an output of this shape, where they come first, is computed from one position."""
        return False

    def gradient(self, record: Trace, signal: Tensor) -> Signals:
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
    def of(cls, call: Call) -> Self:
        """The convolution with the constants of a call."""
        given = call.arguments
        padding = given["padding"]
        if isinstance(padding, str):
            padding = [0, 0] if padding == "valid" else [span // 2 for span in same_spans(call)]
        # channels-last is the faster layout of convolutions on CPUs and on tensor cores
        return cls(
            weight=given["weight"].contiguous(memory_format=torch.channels_last),
            bias=given["bias"],
            stride=pair(given["stride"]),
            padding=pair(padding),
            dilation=pair(given["dilation"]),
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

    def reads_out(self, shape: tuple[int, ...]) -> bool:
        """Where kernels are 1 × 1 and read all channels."""
        plain = self.weight.shape[2:] == (1, 1) and self.groups == 1
        return plain and self.stride == (1, 1) and self.padding == (0, 0)

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


@operation("conv1d.default", "conv3d.default")
@dataclass(frozen=True)
class OtherConvolution(Weighted):
    """A convolution along one or three dimensions."""

    convolve: Call  # its value is that of this call

    @classmethod
    def of(cls, call: Call) -> Self:
        """The convolution with the constants of a call."""
        return cls(call.arguments["weight"], call.arguments["bias"], call)

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The convolution under these weights and biases."""
        given = {**self.convolve.arguments, "input": inputs, "weight": weight, "bias": bias}
        value: Tensor = self.convolve.function(**given)
        return value

    def over_channels(self, values: Tensor) -> Tensor:
        """One value for each channel of the output, in a shape that broadcasts over it."""
        return values.reshape(-1, *[1] * (self.weight.ndim - 2))

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The transposed convolution, in the shape of ``inputs``."""
        given = self.convolve.arguments
        window = [list(given[name]) for name in ("stride", "padding", "dilation")]
        backward: tuple[Tensor, None, None] = torch.ops.aten.convolution_backward(
            signal, inputs.detach(), weight, None, *window,
            False, [0] * (self.weight.ndim - 2), given["groups"], (True, False, False),
        )  # fmt: skip
        return backward[0]


@operation("conv_transpose2d.input")
@dataclass(frozen=True)
class TransposedConvolution(Weighted):
    """A transposed convolution: every input position adds its kernel to the output."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @classmethod
    def of(cls, call: Call) -> Self:
        """The transposed convolution with the constants of a call."""
        given = call.arguments
        pairs = {name: pair(given[name]) for name in ("stride", "padding", "output_padding", "dilation")}
        return cls(weight=given["weight"], bias=given["bias"], groups=int(given["groups"]), **pairs)

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The transposed convolution under these weights and biases."""
        return F.conv_transpose2d(
            inputs, weight, bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """All weights at each input position."""
        return self.weight.numel() * prod(shape[1:]) // prod(self.stride)

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """The convolution."""
        return F.conv2d(signal, weight, None, self.stride, self.padding, self.dilation, self.groups)


def same_spans(call: Call) -> list[int]:
    """Positions that ``padding="same"`` adds along height and width, on both sides together."""
    sizes = call.arguments["weight"].shape[2:]
    return [step * (size - 1) for step, size in zip(pair(call.arguments["dilation"]), sizes, strict=True)]
