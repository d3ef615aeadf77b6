"""What an operation is: one class that says how a value passes forward and how a signal passes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.operations.call import Call
from heatproof.network.operations.relevance import RelevanceRule, divided

Way = Literal["gradient", "deconvolution", "relevance"]
Role = Literal["convolution", "dense"]
Passing = Literal["unchanged", "in proportion", "moved"]
Positions = Literal["absorb", "patch"]  # positions keep the relevance that they absorb, or it goes to their patches
Softmaxes = Literal["constant", "taylor"]  # attention's weights are constants to relevance, or it goes on to scores
Pair = tuple[int, int]  # along the height and along the width


@dataclass(frozen=True)
class Reach:
    """Output position o reads the input from ``o · stride − padding`` on, over ``size`` positions, on either axis."""

    size: Pair = (1, 1)  # positions from the first to the last that is read (a dilated kernel's gaps included)
    stride: Pair = (1, 1)  # input positions from one output to the next
    padding: Pair = (0, 0)  # positions before the map; what lies outside the map reads as ``fill``
    fill: float = 0.0  # 0 for sums and means, −∞ for maxima

    @property
    def pointwise(self) -> bool:
        """Whether an output reads its own position alone."""
        return self.size == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0)


@dataclass(frozen=True)
class Trace:
    """What a recorded forward pass keeps of one node: the values that it read, and what it computed from them.

    Where a ReLU took the place of the value before it, ``output`` is that of the ReLU. No way back sees a difference:
    where the ReLU is at zero no relevance arrives, since whatever passed it back multiplied it by zero.
    """

    inputs: tuple[Tensor, ...]
    output: Tensor


Signals = tuple[Tensor | None, ...]  # one per input; None where nothing flows


class Operation:
    """One operation of a graph.

    ``evaluate`` is the way forward. The ways back default to what holds for any operation (the gradient) or for
    any linear one (deconvolution: as the gradient). ``refuses`` says, for each way that is not defined, why.
    ``reach`` and ``evaluate_window`` let it be evaluated again where only a part of its inputs has changed.

    ``passes`` says how relevance gets to the inputs: unchanged; in proportion to what each adds to a linear output, so
    none to a zero (LRP-ε with a stabiliser only); or moved with the values, as the gradient moves signals. None: in a
    way of its own, which may give some to a zero.
    """

    refuses: Mapping[Way, str] = {}  # reasons, by way back
    passes: ClassVar[Passing | None] = None
    taped: ClassVar[bool] = True  # its gradient is autograd's; else it is written here, from the record alone
    fresh: ClassVar[bool] = False  # its value takes memory of its own, so that the next one may take its place
    in_place: bool = False  # its value may take the place of an input of its shape
    rectifies: bool = False  # it is a ReLU that is not capped: where its value is not zero, it is that of its input
    monotone: ClassVar[bool] = False  # its value rises, or falls, with all its inputs
    pointwise: ClassVar[bool] = False  # an output position reads its own position alone, whatever the shapes
    elementwise: ClassVar[bool] = False  # each value is computed from the value of each input at its own place
    gate: bool = False  # its values are factors between 0 and 1
    constants: tuple[Tensor, ...] = ()  # tensors that it reads beside its inputs

    @classmethod
    def read(cls, call: Call) -> "Operation":
        """The operation that ``call`` stands for."""
        raise NotImplementedError

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Value of the operation; every tensor has the batch first."""
        raise NotImplementedError

    def evaluate_in_place(self, place: int, *inputs: Tensor) -> Tensor:
        """Value of the operation, in the place of one of its inputs."""
        raise NotImplementedError

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """What an output position reads, for inputs of these shapes (C, H, W); None if it may be anything."""
        return POINTWISE if self.pointwise else None

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """Values at some positions, from (B, C, h, w) windows of the inputs with all that these positions read.

        The padding is part of the windows. Only operations that have a ``reach`` are asked.
        """
        return self.evaluate(*inputs)

    def window_factor(self, *shapes: tuple[int, ...]) -> Tensor | None:
        """(H, W) what the value of ``evaluate_window`` is multiplied by, where that depends on the position."""
        return None

    def role(self, shape: tuple[int, ...]) -> Role | None:
        """Which rule of a composite a weighted sum with an output of this shape takes; None for all else."""
        return None

    def apart(self, *shapes: tuple[int, ...]) -> bool:
        """Whether each channel is computed from the same channel of the input, for inputs of these shapes."""
        return False

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Which of so many inputs a way back sends something to."""
        return (True,) * count

    def followed(self) -> "Operation":
        """The operation where relevance goes on through softmaxes: attention's weights are no gates then."""
        return self

    @property
    def keeps(self) -> str:
        """What keeps relevance that arrives here, in a user's words; nothing where all goes on."""
        return ""

    def interval(self, low: tuple[Tensor, ...], high: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The least and the largest value, for inputs between ``low`` and ``high``.

        Raises:
            InputError: where that is not known.
        """
        if not self.monotone:
            raise InputError("the range of its values is not known")
        ends = self.evaluate(*low), self.evaluate(*high)
        return torch.minimum(*ends), torch.maximum(*ends)

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """Multiplications with weights for an output of this shape, for one image."""
        return 0

    def gradient(self, record: Trace, signal: Tensor) -> Signals:
        """The signal times the derivative of the output with respect to each input."""
        followed = [value for value in record.inputs if value.requires_grad]
        if not (followed and record.output.requires_grad):
            return (None,) * len(record.inputs)
        found = iter(torch.autograd.grad(record.output, followed, signal, retain_graph=True, allow_unused=True))
        return tuple(next(found) if value.requires_grad else None for value in record.inputs)

    def deconvolution(self, record: Trace, signal: Tensor) -> Signals:
        """The signal as deconvolution sends it back [Zeiler2014]."""
        return self.gradient(record, signal)

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """The relevance of each input, as ``passes`` says.

        A weighted sum gets the rule that a composite has for it; what lies before the first of them gets the first
        layers' rule, all else that of dense layers: both say whether constants absorb relevance.
        """
        if self.passes == "unchanged":
            return (relevance,)
        if self.passes == "moved":
            return self.gradient(record, relevance)
        assert self.passes == "in proportion", self
        return self.proportional(record, relevance)

    def proportional(self, record: Trace, relevance: Tensor) -> Signals:
        """Relevance in proportion to what each input contributes to a linear output without weights to choose."""
        shares = self.gradient(record, divided(relevance, record.output))
        return tuple(
            None if share is None else value * share for value, share in zip(record.inputs, shares, strict=True)
        )


def pair(value: int | Sequence[int]) -> Pair:
    """A number along the height and one along the width, from one or two."""
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


POINTWISE = Reach()
OPERATIONS: dict[str, type[Operation]] = {}
Class = TypeVar("Class", bound=type[Operation])


def operation(*targets: str) -> Callable[[Class], Class]:
    """Decorator: the class stands for these ATen functions, named like ``relu.default``."""

    def register(cls: Class) -> Class:
        for target in targets:
            assert target not in OPERATIONS, f"{target} has two operations"
            OPERATIONS[target] = cls
        return cls

    return register


class Called(Operation):
    """An operation that evaluates just as it was exported: its value is the call's, or the first of several."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.constants = call.constants

    @classmethod
    def read(cls, call: Call) -> Self:
        """Keeps the call."""
        return cls(call)

    @property
    def writes(self) -> bool:
        """Whether the function can write its value to given memory."""
        function = self.call.function
        return function._overloadname == "default" and "out" in function.overloadpacket.overloads()

    def evaluate_in_place(self, place: int, *inputs: Tensor) -> Tensor:
        """The value of the call, in the place of one of its inputs."""
        value: Tensor = self.call.function.overloadpacket.out(**self.call.filled(*inputs), out=inputs[place])
        return value

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The value of the call."""
        value = self.call(*inputs)
        first: Tensor = value[0] if isinstance(value, tuple) else value
        return first

    def chooses_channels(self) -> bool:
        """Whether the dimension that it works along is that of channels."""
        return self.call.arguments.get("dim", 1) in (1, -3)


class Opaque(Operation):
    """An operation without a rule: evaluated as a whole, differentiated by autograd; other ways back stop here.

    Args:
        function: computes it, from the values that it reads.
        reason: why no rule leads back through it; by default, that heatproof does not know the function.
        index: which of several results it is.
    """

    def __init__(self, function: Callable[..., Any], reason: str = "", index: int | None = None) -> None:
        self.function, self.index = function, index
        if isinstance(function, Call):
            reason = reason or f"heatproof does not know the operation {function.name}"
        self.refuses = {"deconvolution": reason, "relevance": reason}

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The value, or one of them."""
        value = self.function(*inputs)
        chosen: Tensor = value if self.index is None else value[self.index]
        return chosen
