"""Which part of a feature map may change with a region of the image."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from heatproof.network.operations.operation import Pair, Reach


@dataclass(frozen=True)
class DirtyRegions:
    """The rectangle of one feature map that may change with each of R regions of the image."""

    first: Tensor  # (2, R) first row and first column that may change
    last: Tensor  # (2, R) last row and last column
    shape: Pair  # height and width of the map

    @cached_property
    def size(self) -> Pair:
        """Height and width of a window that holds any of the rectangles."""
        height, width = (self.last - self.first + 1).amax(dim=1).tolist()
        return (height, width)

    @cached_property
    def starts(self) -> Tensor:
        """(2, R) first row and column of a window of that size around each rectangle, inside the map."""
        room = torch.tensor(self.shape) - torch.tensor(self.size)
        return torch.minimum(self.first, room[:, None])

    @property
    def area(self) -> int:
        """Positions of a window."""
        return self.size[0] * self.size[1]

    def windows(self, values: Tensor) -> Tensor:
        """(R, h, w) the windows of one map (H, W)."""
        rows, columns = (start[:, None] + torch.arange(n) for start, n in zip(self.starts, self.size, strict=True))
        return values[rows[:, :, None], columns[:, None, :]]

    def through(self, reach: Reach, shape: Pair) -> "DirtyRegions":
        """What may change behind an operation with this reach, in its output of ``shape``."""
        size, stride, padding = (torch.tensor(pair)[:, None] for pair in (reach.size, reach.stride, reach.padding))
        end = torch.tensor(shape)[:, None] - 1
        first = -((size - 1 - padding - self.first) // stride)  # the division rounds up
        last = (self.last + padding) // stride
        first = torch.minimum(first.clamp(min=0), end)
        return DirtyRegions(first, torch.maximum(torch.minimum(last, end), first), shape)

    def joined(self, other: "DirtyRegions") -> "DirtyRegions":
        """The smallest rectangles that hold both."""
        return DirtyRegions(torch.minimum(self.first, other.first), torch.maximum(self.last, other.last), self.shape)


def dirty_regions(regions: Tensor) -> DirtyRegions:
    """The rectangle around each region of maps of region indices (n, H, W); region r of map i has index i · R + r.

    R is the largest number of regions of a map. A map's missing regions get an empty place in its corner.
    """
    count, shape = int(regions.max()) + 1, (regions.shape[1], regions.shape[2])
    index = torch.where(regions < 0, count, regions).flatten(start_dim=1)
    first, last = [], []
    for positions, length in zip(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), shape, strict=True):
        flat = positions.flatten().expand_as(index)
        low = torch.full((len(regions), count + 1), length - 1).scatter_reduce_(1, index, flat, "amin")
        high = torch.zeros(len(regions), count + 1, dtype=torch.int64).scatter_reduce_(1, index, flat, "amax")
        missing = high < low
        first.append(low.masked_fill(missing, 0)[:, :-1].flatten())
        last.append(high.masked_fill(missing, 0)[:, :-1].flatten())
    return DirtyRegions(torch.stack(first), torch.stack(last), shape)
