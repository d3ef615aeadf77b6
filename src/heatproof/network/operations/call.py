"""Exported calls: an ATen function, its constants, and the places where values of the network go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Size:
    """A length that depends on how many images there are: ``times · B + plus``."""

    times: int
    plus: int = 0

    def of(self, batch: int) -> int:
        """The length for so many images."""
        return self.times * batch + self.plus


@dataclass(frozen=True)
class Variable:
    """A value that depends on the image."""

    name: str  # of the node that computes it
    shape: tuple[int, ...]  # for one image; without the batch if that comes first
    batched: bool = True  # whether the first dimension is the batch, one entry for each image
    batch: tuple[int, Size] | None = (0, Size(1))  # a dimension that grows with the batch, and how


@dataclass(frozen=True)
class Call:
    """An exported call of an ATen function, its arguments by name; ``Variable`` marks what depends on the image."""

    function: torch._ops.OpOverload
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the function, like ``relu.default``."""
        return str(self.function).removeprefix("aten.")

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables among the arguments, in order (those of a list too)."""
        return tuple(item for item in self._items if isinstance(item, Variable))

    @property
    def parts(self) -> "tuple[Tensor | Variable | PerImage, ...]":
        """All that it reads, in order."""
        return tuple(item for item in self._items if isinstance(item, Tensor | Variable | PerImage))

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The tensors among the arguments."""
        return tuple(item for item in self._items if isinstance(item, Tensor))

    @cached_property
    def sized(self) -> bool:
        """Whether an argument depends on how many images there are."""
        return any(isinstance(item, Size | PerImage) for item in self._items)

    @property
    def _items(self) -> list[Any]:
        return [item for value in self.arguments.values() for item in (value if isinstance(value, list) else [value])]

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - whatever the function returns
        """Calls the function with ``inputs`` in the places of the variables."""
        return self.function(**self.filled(*inputs))

    def for_batch(self, batch: int, *inputs: Tensor) -> Any:  # noqa: ANN401 - whatever the function returns
        """The call for a known number of images."""
        return self.function(**self._filled(batch, inputs))

    def filled(self, *inputs: Tensor) -> dict[str, Any]:
        """The arguments by name, with ``inputs`` in the places of the variables."""
        return self._filled(self._batch(inputs) if self.sized else 0, inputs)

    def _filled(self, batch: int, inputs: tuple[Tensor, ...]) -> dict[str, Any]:
        remaining = iter(inputs)
        return {name: _filled(value, remaining, batch) for name, value in self.arguments.items()}

    def _batch(self, inputs: tuple[Tensor, ...]) -> int:
        for variable, value in zip(self.variables, inputs, strict=True):
            if variable.batch is not None:
                dimension, size = variable.batch
                return (value.shape[dimension] - size.plus) // size.times
        raise AssertionError("a call that depends on the batch reads a value that does")


@dataclass(frozen=True)
class PerImage:
    """A constant as large as the batch, such as ``torch.zeros(len(x), 4)``."""

    call: Call  # makes it
    row: Tensor | None  # (1, …) what it holds for every image, where that is always the same

    def of(self, batch: int) -> Tensor:
        """The constant for so many images."""
        value: Tensor = self.call.for_batch(batch)
        return value


def _filled(value: Any, remaining: Iterator[Tensor], batch: int) -> Any:  # noqa: ANN401 - whatever an argument is
    """An argument with inputs in the places of its variables, and lengths for so many images."""
    # Not inside the caller: a closure that calls itself is a cycle, which would keep all inputs until it is collected
    if isinstance(value, list):
        return [_filled(item, remaining, batch) for item in value]
    if isinstance(value, Size | PerImage):
        return value.of(batch)
    return next(remaining) if isinstance(value, Variable) else value
