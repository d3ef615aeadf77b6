"""Activations: functions of one value at a time, whatever they are made of."""

from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.operations.call import Call, Variable
from heatproof.network.operations.operation import POINTWISE, Called, Operation, Reach, Signals, Trace, operation
from heatproof.network.operations.relevance import RelevanceRule, divided

_PROBES = (-1e4, -20.0, -6.5, -3.0, -2.0, -1.0, -0.3, -1e-3, 0.0, 1e-3, 0.3, 1.0, 2.0, 3.0, 5.5, 6.5, 20.0, 1e4)
_BETWEEN = 33  # points at which a function is evaluated between two ends


@operation(
    "sigmoid.default", "hardsigmoid.default", "silu.default", "hardswish.default", "gelu.default", "tanh.default",
    "elu.default", "selu.default", "celu.default", "leaky_relu.default", "softplus.default", "mish.default",
    "hardtanh.default", "relu6.default", "threshold.default", "clamp.default", "clamp.Tensor",
    "clamp_min.default", "clamp_max.default", "abs.default", "pow.Tensor_Scalar", "square.default", "sqrt.default",
    "rsqrt.default", "reciprocal.default", "exp.default", "exp2.default", "expm1.default", "log.default",
    "log1p.default", "log2.default", "log10.default", "log_sigmoid.default", "logit.default", "softshrink.default",
    "hardshrink.default", "erf.default", "erfc.default", "sin.default", "cos.default", "tan.default", "atan.default",
    "sinh.default", "cosh.default", "asinh.default", "sign.default", "rrelu.default", "relu.default",
    "gt.Scalar", "ge.Scalar", "lt.Scalar", "le.Scalar", "eq.Scalar", "ne.Scalar", "logical_not.default",
)  # fmt: skip
class Activation(Called):
    """Any function f of one value: f(0) absorbs relevance as a bias does, the rest passes [Shrikumar2017].

    Where f(0) = 0, as for ReLU, GELU, SiLU or tanh, relevance passes through unchanged [Bach2015]. Elsewhere (sigmoid,
    softplus, exp) the value f(0) says nothing about the input: R · (f(x) − f(0)) / f(x) is left.
    """

    refuses = {"deconvolution": "deconvolution says what a ReLU does with a signal, not what this activation does"}
    elementwise = True
    passes = "unchanged"  # but for what f(0) absorbs
    monotone = True  # as far as ``interval`` finds

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        (read,) = call.variables
        self._at_zero(read.shape if read.batched else read.shape[1:])

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The activation; a ReLU, however it is written, as a ReLU."""
        return recognised(cls(call), call.variables[0])

    def _at_zero(self, shape: tuple[int, ...]) -> None:
        like = _like(self.constants)
        self.varies = any(value.numel() > 1 for value in self.constants)
        at_zero = self.evaluate(like.new_zeros((1, *shape) if self.varies else (1,)))
        self.in_place = at_zero.dtype == like.dtype and self.writes
        if not self.varies:
            value = self.evaluate(like.new_tensor(_PROBES))
            self.gate = bool(((value >= 0) & (value <= 1)).all()) and bool(value.amin() < value.amax())
        self.zero = at_zero if bool((at_zero != 0).any()) else None  # f(0)
        if not bool(at_zero.isfinite().all()):
            self.refuses = {**self.refuses, "relevance": "no relevance rule is defined for a function without f(0)"}

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """Its own position, where the constants are the same for all."""
        return POINTWISE if self.pointwise or same_everywhere(self.constants) else None

    def apart(self, *shapes: tuple[int, ...]) -> bool:
        """Channels are, where the function is the same for all."""
        return not self.varies

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Unchanged where f(0) is zero; else f(0) absorbs its share."""
        if self.zero is None:
            return (relevance,)
        return (divided(relevance, record.output) * (record.output - self.zero.to(record.output)),)

    def interval(self, low: tuple[Tensor, ...], high: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Bounds of the output: the values at both ends, if the function rises or falls between them."""
        least, largest = super().interval(low, high)
        for step in range(1, _BETWEEN):
            value = self.evaluate(low[0] + (high[0] - low[0]) * (step / _BETWEEN))
            if bool(((value < least - 1e-6) | (value > largest + 1e-6)).any()):
                raise InputError("it neither rises nor falls over the range of the pixels")
        return least, largest


class Rectifier(Activation):
    """max(0, x), also when it is capped above (ReLU6)."""

    refuses = {}

    def deconvolution(self, record: Trace, signal: Tensor) -> Signals:
        """max(0, signal), whatever the input was [Zeiler2014]."""
        return (signal.clamp(min=0),)


class ReLU(Rectifier):
    """max(0, x)."""

    taped = False
    rectifies = True

    def evaluate_in_place(self, place: int, *inputs: Tensor) -> Tensor:
        """max(0, x) in the place of x: ``relu.out``, which would be asked else, makes a new value and copies that."""
        return inputs[place].relu_()

    def gradient(self, record: Trace, signal: Tensor) -> Signals:
        """The signal where the output is positive."""
        return (torch.ops.aten.threshold_backward(signal, record.output, 0),)


class Composed(Activation):
    """An activation that is written as several operations, such as ``x * sigmoid(x)``.

    Args:
        steps: operations in order, each with the numbers of what it reads: 0 is x, then the steps' values.
        shape: of x, for one image.
    """

    writes = False

    def __init__(self, steps: Sequence[tuple[Operation, tuple[int, ...]]], shape: tuple[int, ...]) -> None:
        self.steps = tuple(steps)
        self.constants = tuple(constant for step, _ in steps for constant in step.constants)
        self._at_zero(shape)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """One step after the other."""
        values = list(inputs)
        for step, read in self.steps:
            values.append(step.evaluate(*[values[number] for number in read]))
        return values[-1]


@operation("prelu.default")
class PReLU(Activation):
    """A leaky ReLU whose slopes are learned, one for each channel or for all."""

    pointwise = True


def recognised(activation: Activation, read: Variable) -> Operation:
    """A ReLU, capped or not, for whatever computes the same as one; else the activation."""
    if activation.varies or activation.zero is not None:
        return activation
    probes = _like(activation.constants).new_tensor(_PROBES)
    value = activation.evaluate(probes).flatten()
    if value.dtype != probes.dtype or float(value[-1]) <= 0:
        return activation
    if torch.equal(value, probes.clamp(min=0)):
        return ReLU(Call(torch.ops.aten.relu.default, {"self": read}))
    cap = float(value[-1])
    capped = torch.equal(value, probes.clamp(min=0, max=cap)) and not isinstance(activation, Composed)
    return Rectifier(activation.call) if capped else activation


def _like(constants: Sequence[Tensor]) -> Tensor:
    """A tensor of the type in which a function with these constants is tried, since not all promote types."""
    return next((one for one in constants if one.is_floating_point()), torch.zeros((), dtype=torch.float64))


def same_everywhere(constants: Sequence[Tensor]) -> bool:
    """Whether constants are the same at each position of a map, and for each image."""
    return all(
        all(size == 1 for size in constant.shape[-2:]) and (constant.ndim < 4 or constant.shape[0] == 1)
        for constant in constants
    )
