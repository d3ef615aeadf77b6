"""Activations: functions of one value at a time."""

import torch
from torch import Tensor

from heatproof.network.operations.operation import Call, Called, Operation, Record, Signals, operation
from heatproof.network.operations.reach import POINTWISE, Reach
from heatproof.network.rules import Rule


@operation(
    "sigmoid.default", "hardsigmoid.default", "silu.default", "hardswish.default", "gelu.default", "tanh.default",
    "elu.default", "selu.default", "celu.default", "leaky_relu.default", "softplus.default", "mish.default",
)  # fmt: skip
class Activation(Called):
    """Any elementwise nonlinearity: relevance passes through unchanged [Bach2015]."""

    refuses = {"deconvolution": "deconvolution says what a ReLU does with a signal, not what this activation does"}

    def reach(self, *shapes: tuple[int, ...]) -> Reach:
        """A position depends on itself."""
        return POINTWISE

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Unchanged."""
        return (relevance,)


class Rectifier(Activation):
    """max(0, x), also when it is capped above (ReLU6)."""

    refuses = {}

    def deconvolution(self, record: Record, signal: Tensor) -> Signals:
        """max(0, signal), whatever the input was [Zeiler2014]."""
        return (signal.clamp(min=0),)


@operation("relu.default")
class ReLU(Rectifier):
    """max(0, x); it may take the place of its input."""

    taped = False

    def gradient(self, record: Record, signal: Tensor) -> Signals:
        """The signal where the output is positive."""
        return (torch.ops.aten.threshold_backward(signal, record.output, 0),)


@operation("hardtanh.default", "relu6.default")
class HardTanh(Activation):
    """A clamp; one that starts at zero is a rectifier (ReLU6)."""

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A rectifier where the lower bound is zero."""
        return Rectifier(call) if call.arguments.get("min_val", 0) == 0 else cls(call)


@operation("softmax.int", "log_softmax.int", "_softmax.default", "_log_softmax.default")
class Softmax(Called):
    """Normalised exponentials. At the end of a classifier it is cut off: scores are logits."""

    refuses = {
        "deconvolution": "deconvolution says what a ReLU does with a signal, not what a softmax does",
        "relevance": "no relevance rule is defined for a softmax inside a network",
    }
