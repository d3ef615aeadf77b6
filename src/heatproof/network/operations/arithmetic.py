"""Sums, products and choices of whole maps."""

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from heatproof.network.operations.activation import Activation, same_everywhere
from heatproof.network.operations.call import Call, Variable
from heatproof.network.operations.operation import (
    POINTWISE,
    Called,
    Opaque,
    Operation,
    Reach,
    Signals,
    Trace,
    Way,
    operation,
)
from heatproof.network.operations.relevance import RelevanceRule, divided


class Arithmetic(Called):
    """An operation on one or two maps, place by place."""

    elementwise = True

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """Its own position, unless maps or constants differ in size or between positions."""
        equal = len({shape[1:] for shape in shapes}) == 1
        return POINTWISE if equal and same_everywhere(self.constants) and not self.call.sized else None

    def proportional(self, record: Trace, relevance: Tensor) -> Signals:
        """In proportion to what each input adds; none to scores that are masked (−∞), at which none arrives."""
        shares = self.gradient(record, divided(relevance, record.output))
        return tuple(
            None if share is None else value.clamp(min=torch.finfo(value.dtype).min) * share
            for value, share in zip(record.inputs, shares, strict=True)
        )


@operation("neg.default")
class ByConstant(Arithmetic):
    """One map times or over a constant: relevance passes unchanged, one input makes one output."""

    monotone = True

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Unchanged (summed where the constant made the map larger)."""
        return (relevance.sum_to_size(record.inputs[0].shape),)


class Affine(ByConstant):
    """A map, perhaps times a constant, plus a constant, which absorbs relevance where biases do."""

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance in proportion to what the map adds; unchanged where the rule leaves biases out."""
        if rule is not None and rule.bias:
            return self.proportional(record, relevance)
        return super().relevance(record, relevance, rule)

    @property
    def keeps(self) -> str:
        """Positions, if a constant differs from place to place."""
        positions = any(sum(size > 1 for size in constant.shape) > 1 for constant in self.constants)
        return "positions" if positions else "added constants"


class Shifted(Affine):
    """The sum or the difference of a map and a constant."""


@operation("addcmul.default")
class ScaledAndShifted(Affine):
    """A map times a constant, plus a constant, in one operation."""

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The operation; a sum with a product of maps has no rule."""
        return cls(call) if len(call.variables) == 1 else Opaque(call)


@operation("add.Tensor", "sub.Tensor", "add.Scalar", "sub.Scalar", "rsub.Scalar", "rsub.Tensor")
class Add(Arithmetic):
    """The sum or difference of two maps, as at the end of a residual block."""

    fresh = True
    passes = "in proportion"  # so that nothing is counted twice

    @property
    def in_place(self) -> bool:  # type: ignore[override]
        """Where the function can write to given memory."""
        return self.call.name in ("add.Tensor", "sub.Tensor")

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The sum of two maps, or of a map and a constant."""
        return cls(call) if len(call.variables) == 2 else Shifted(call)

    def interval(self, low: tuple[Tensor, ...], high: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Bounds of the output, from the bounds of both maps, according to their signs."""
        ends = [self.evaluate(*pair) for pair in ((low[0], low[1]), (low[0], high[1]), (high[0], low[1]), high)]
        return torch.stack(ends).amin(dim=0), torch.stack(ends).amax(dim=0)


@operation("mul.Tensor", "mul.Scalar", "div.Tensor", "div.Scalar")
class Product(Arithmetic):
    """The product of two maps of equal size: half of the relevance goes to each [Achtibat2024]."""

    refuses = {"deconvolution": "deconvolution is not defined for the product of two signals"}

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A product by a constant, by a gate (the smaller map), or of two maps."""
        division = call.name.startswith("div")
        if len(call.variables) == 1:
            first = isinstance(next(iter(call.arguments.values())), Variable)
            return ByConstant(call) if first or not division else Activation(call)
        first_shape, second_shape = (variable.shape for variable in call.variables)
        carrier = 0 if prod(first_shape) > prod(second_shape) else 1
        if prod(first_shape) == prod(second_shape):
            return Ratio(call) if division else cls(call)
        whole = torch.broadcast_shapes((1, *first_shape), (1, *second_shape))
        covers = whole == (1, *call.variables[carrier].shape)
        if division:
            return Gated(call, 0) if carrier == 0 and covers else Ratio(call)
        return Gated(call, carrier) if covers else cls(call)

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Half to each (summed where the product is larger)."""
        return tuple((relevance / 2).sum_to_size(value.shape) for value in record.inputs)


class Ratio(Arithmetic):
    """A map over another of its size."""

    refuses = {
        "deconvolution": "deconvolution is not defined for the ratio of two signals",
        "relevance": "no relevance rule is defined for the ratio of two signals",
    }


class Gated(Product):
    """A map times, or over, a gate that is broadcast over it (squeeze-and-excitation): the gate is taken as a constant.

    All relevance goes to the map [Arras2017].
    """

    refuses = {"deconvolution": "deconvolution is not defined for a gate that the network computes from the image"}

    def __init__(self, call: Call, carrier: int) -> None:
        super().__init__(call)
        self.carrier = carrier  # which of the two inputs is the map

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Relevance goes to the map alone."""
        return tuple(way != "relevance" or number == self.carrier for number in range(count))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance goes to the map alone."""
        return (relevance, None) if self.carrier == 0 else (None, relevance)


@operation(
    "maximum.default", "minimum.default", "where.self", "where.ScalarOther", "where.ScalarSelf", "max.other",
    "min.other",
)  # fmt: skip
class Choice(Arithmetic):
    """One of two maps at each place, as Maxout has it; every way back sends the signal to the one that was chosen."""

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A choice between two maps, or an activation where the other is a constant."""
        return Activation.read(_single(call)) if len(call.variables) == 1 else cls(call)

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """A condition gets nothing."""
        condition = isinstance(self.call.arguments.get("condition"), Variable)
        return tuple(not condition or number > 0 for number in range(count))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance goes to the chosen one, half to each where they are equally large."""
        return self.gradient(record, relevance)


def _single(call: Call) -> Call:
    """The call with constants like ``zeros_like(x)``, which hold one number for the whole map, as that number."""
    (read,) = call.variables
    shape = torch.Size((1, *read.shape) if read.batched else read.shape)
    single = {
        name: value.flatten()[0]
        for name, value in call.arguments.items()
        if isinstance(value, Tensor) and value.shape == shape and bool((value == value.flatten()[0]).all())
    }
    return replace(call, arguments={**call.arguments, **single})


@operation("pow.Tensor_Tensor", "pow.Scalar")
class Power(Arithmetic):
    """A map to the power of another."""

    refuses = {
        "deconvolution": "deconvolution is not defined for a power that the network computes from the image",
        "relevance": "no relevance rule is defined for a power that the network computes from the image",
    }

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A power of two maps, or an activation where one of them is a constant."""
        return Activation.read(call) if len(call.variables) == 1 else cls(call)


@operation("glu.default")
class GLU(Called):
    """One half of the channels, gated by the sigmoid of the other: the gate is taken as a constant [Arras2017]."""

    refuses = {"deconvolution": "deconvolution is not defined for a gate that the network computes from the image"}

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """Its own position, where halves of the channels are taken."""
        return POINTWISE if self.chooses_channels() else None

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance goes to the half that is gated."""
        return (torch.cat([relevance, torch.zeros_like(relevance)], dim=self.call.arguments["dim"]),)


@operation("cat.default", "concat.default", "stack.default")
class Concatenate(Called):
    """Maps side by side; every way back takes them apart again."""

    passes = "moved"
    monotone = True

    @property
    def keeps(self) -> str:
        """Constants, such as a class token."""
        return "class token" if len(self.call.variables) < len(self.call.parts) else ""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """Its own position, where channels are put side by side."""
        beside = self.chooses_channels() and "stack" not in self.call.name
        return POINTWISE if beside and not self.constants and not self.call.sized else None
