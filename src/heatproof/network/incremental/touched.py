"""Which part of a map a changed region of the image can touch."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from heatproof.network.operations.reach import Pair, Reach


@dataclass(frozen=True)
class Touched:
    """For each of R regions of the image, the rectangle of one map that may change with it.

    Attributes:
        first: (2, R) first row and first column that may change.
        last: (2, R) last row and last column.
        shape: height and width of the map.
    """

    first: Tensor
    last: Tensor
    shape: Pair

    @cached_property
    def size(self) -> Pair:
        """Height and width of a window that holds any of the rectangles."""
        height, width = (self.last - self.first + 1).amax(dim=1).tolist()
        return (height, width)

    @cached_property
    def starts(self) -> Tensor:
        """(2, R) first row and column of a window of that size around each rectangle, inside the map."""
        room = torch.tensor([[whole - part] for whole, part in zip(self.shape, self.size, strict=True)])
        return torch.minimum(self.first, room)

    @property
    def area(self) -> int:
        """Positions of a window."""
        return self.size[0] * self.size[1]

    @property
    def share(self) -> float:
        """Share of the map that a window takes."""
        return self.area / (self.shape[0] * self.shape[1])

    def windows(self, values: Tensor) -> Tensor:
        """(R, h, w) the windows of one map (H, W)."""
        rows, columns = (
            start[:, None] + torch.arange(size) for start, size in zip(self.starts, self.size, strict=True)
        )
        return values[rows[:, :, None], columns[:, None, :]]

    def through(self, reach: Reach, shape: Pair) -> "Touched":
        """What may change behind an operation with this reach, in its output of ``shape``."""
        size, stride, padding = (torch.tensor(pair)[:, None] for pair in (reach.size, reach.stride, reach.padding))
        end = torch.tensor(shape)[:, None] - 1
        first = -((size - 1 - padding - self.first) // stride)  # the division rounds up
        last = (self.last + padding) // stride
        first = torch.minimum(first.clamp(min=0), end)
        return Touched(first, torch.maximum(torch.minimum(last, end), first), shape)

    def joined(self, other: "Touched") -> "Touched":
        """The smallest rectangles that hold both."""
        return Touched(torch.minimum(self.first, other.first), torch.maximum(self.last, other.last), self.shape)

    def same_windows(self, other: "Touched") -> bool:
        """Whether the windows are the same everywhere."""
        return self.size == other.size and torch.equal(self.starts, other.starts)


def touched_by_regions(regions: Tensor) -> Touched:
    """The rectangle around each region of maps of region indices (n, H, W); region r of map i has index i · R + r.

    R is the largest number of regions of a map. A map's missing regions get an empty place in its corner.
    """
    number = int(regions.max()) + 1
    shape = (regions.shape[1], regions.shape[2])
    bounds = []
    for axis in (0, 1):
        length = shape[axis]
        positions = torch.arange(length).reshape((1, -1, 1) if axis == 0 else (1, 1, -1)).expand(regions.shape)
        index = torch.where(regions < 0, number, regions).flatten(start_dim=1)
        flat = positions.flatten(start_dim=1)
        first = torch.full((len(regions), number + 1), length - 1).scatter_reduce_(1, index, flat, "amin")
        last = torch.zeros(len(regions), number + 1, dtype=torch.int64).scatter_reduce_(1, index, flat, "amax")
        missing = last < first
        bounds.append((first.masked_fill(missing, 0)[:, :-1].flatten(), last.masked_fill(missing, 0)[:, :-1].flatten()))
    return Touched(torch.stack([bounds[0][0], bounds[1][0]]), torch.stack([bounds[0][1], bounds[1][1]]), shape)
