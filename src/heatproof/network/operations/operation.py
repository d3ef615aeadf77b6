"""What an operation is: one class that says how a value passes forward and how a signal passes back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from torch import Tensor

from heatproof.network.operations.reach import Reach
from heatproof.network.rules import Rule, divided

Way = Literal["gradient", "deconvolution", "relevance"]


@dataclass(frozen=True)
class Variable:
    """A value that depends on the image: the node that computes it and its shape for one image."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """An exported call of an ATen function, its arguments by name; ``Variable`` marks what depends on the image."""

    function: torch._ops.OpOverload
    arguments: Mapping[str, Any]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables among the arguments, in order (those of a list too)."""
        return tuple(item for item in self._items if isinstance(item, Variable))

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The tensors among the arguments."""
        return tuple(item for item in self._items if isinstance(item, Tensor))

    @property
    def _items(self) -> list[Any]:
        return [item for value in self.arguments.values() for item in (value if isinstance(value, list) else [value])]

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - whatever the function returns
        """Calls the function with ``inputs`` in the places of the variables."""
        remaining = iter(inputs)
        return self.function(**{name: _filled(value, remaining) for name, value in self.arguments.items()})


def _filled(value: Any, remaining: Iterator[Tensor]) -> Any:  # noqa: ANN401 - whatever an argument is
    """An argument with inputs in the places of its variables."""
    # Not inside the caller: a closure that calls itself is a cycle, which would keep all inputs until it is collected
    if isinstance(value, list):
        return [_filled(item, remaining) for item in value]
    return next(remaining) if isinstance(value, Variable) else value


@dataclass(frozen=True)
class Record:
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
    """

    refuses: ClassVar[Mapping[Way, str]] = {}
    taped: ClassVar[bool] = True  # whether its gradient is autograd's; else it is written here, from the record alone

    @classmethod
    def read(cls, call: Call) -> "Operation":
        """The operation that ``call`` stands for."""
        raise NotImplementedError

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """Value of the operation; every tensor has the batch first."""
        raise NotImplementedError

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """What an output position reads, for inputs of these shapes (C, H, W); None if it may be anything."""
        return None

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """Values at some positions, from (B, C, h, w) windows of the inputs with all that these positions read.

        The padding is part of the windows. Only operations that have a ``reach`` are asked.
        """
        return self.evaluate(*inputs)

    def window_factor(self, *shapes: tuple[int, ...]) -> Tensor | None:
        """(H, W) what the value of ``evaluate_window`` is multiplied by, where that depends on the position."""
        return None

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """Multiplications with weights for an output of this shape, for one image."""
        return 0

    def gradient(self, record: Record, signal: Tensor) -> Signals:
        """The signal times the derivative of the output with respect to each input."""
        return torch.autograd.grad(record.output, record.inputs, signal, retain_graph=True)

    def deconvolution(self, record: Record, signal: Tensor) -> Signals:
        """The signal as deconvolution sends it back [Zeiler2014]."""
        return self.gradient(record, signal)

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """The relevance of each input; ``rule`` is given to weighted sums only."""
        raise NotImplementedError

    def proportional(self, record: Record, relevance: Tensor) -> Signals:
        """Relevance in proportion to what each input contributes to a linear output without weights to choose.

        This is LRP-ε with a stabiliser only; at an addition the two shares sum to the relevance that came.
        """
        shares = self.gradient(record, divided(relevance, record.output))
        return tuple(value * share for value, share in zip(record.inputs, shares, strict=True) if share is not None)


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
    """An operation that evaluates just as it was exported."""

    def __init__(self, call: Call) -> None:
        self.call = call

    @classmethod
    def read(cls, call: Call) -> Self:
        """Keeps the call."""
        return cls(call)

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The value of the call."""
        value: Tensor = self.call(*inputs)
        return value
