"""Which image each entry of a value belongs to, where more than one entry of a dimension is an image's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatproof.network.operations import Operation, Size


@dataclass(frozen=True)
class Stack:
    """How the images of a batch lie along a dimension of a value."""

    dimension: int = 0
    times: int = 1  # entries of each image
    together: bool = True  # whether they lie side by side (an image's windows), not as far apart as the batch is large

    def totals(self, value: Tensor) -> Tensor:
        """(N,) the sum over all that belongs to each image."""
        along = value.movedim(self.dimension, 0)
        sums = along.reshape(len(along), -1).sum(dim=1)
        if self.together:
            return sums.reshape(-1, self.times).sum(dim=1)
        return sums.reshape(self.times, -1).sum(dim=0)

    def numbers(self, shape: tuple[int, ...]) -> Tensor:
        """The number of the image that each value of two images belongs to; ``shape`` is that of one image's."""
        number = torch.arange(2.0)
        number = number.repeat_interleave(self.times) if self.together else number.repeat(self.times)
        spread = [1] * len(shape)
        spread[self.dimension] = 2 * self.times
        sizes = list(shape)
        sizes[self.dimension] = 2 * self.times
        return number.reshape(spread).expand(sizes)


def stack_of(
    batch: tuple[int, Size] | None,
    operation: Operation,
    read: Sequence[tuple[Stack | None, tuple[int, ...]]],
) -> Stack | None:
    """How images lie in the value of an operation; None if that is not known.

    Args:
        batch: the dimension that grows with the batch, and how.
        operation: computes the value.
        read: how images lie in each value that it reads, and its shape for one image, the batch included.
    """
    if batch is None or batch[1].plus:
        return None
    found = Stack(batch[0], batch[1].times)
    if found.times == 1:
        return found
    ways = (found, replace(found, together=False))
    if operation.passes != "moved":  # computed where its inputs are
        return next((way for way in ways if any(way == stack for stack, _ in read)), None)
    if any(stack is None for stack, _ in read):
        return None
    numbers = operation.evaluate(*(stack.numbers(shape) for stack, shape in read if stack is not None))
    same = [way for way in ways if torch.equal(numbers, _filled(way, numbers))]
    return same[0] if same else None


def _filled(stack: Stack, like: Tensor) -> Tensor:
    shape = list(like.shape)
    shape[stack.dimension] = stack.times
    return stack.numbers(tuple(shape))
