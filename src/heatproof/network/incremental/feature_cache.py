"""Feature maps that are kept, channels last and with a border, of which windows are read and written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from heatproof.network.operations.operation import Pair


@dataclass(frozen=True)
class Border:
    """Positions before and after a map, on either axis."""

    before: Pair = (0, 0)
    after: Pair = (0, 0)

    def joined(self, other: "Border") -> "Border":
        """Wide enough for both."""
        return Border(_largest(self.before, other.before), _largest(self.after, other.after))

    def around(self, shape: Sequence[int]) -> Pair:
        """Height and width of a map (…, H, W) with its border."""
        height, width = (sum(sizes) for sizes in zip(self.before, shape[-2:], self.after, strict=True))
        return (height, width)


def _largest(one: Pair, other: Pair) -> Pair:
    return (max(one[0], other[0]), max(one[1], other[1]))


class FeatureCache:
    """N maps of C channels, height H and width W, in one block of memory (N, H + border, W + border, C).

    Positions of windows are on the same device as the maps.

    Args:
        count: N.
        shape: (C, H, W).
        border: positions around each map.
        fill: what the border holds.
        like: gives the type and the device.
    """

    def __init__(
        self, count: int, shape: Sequence[int], *, border: Border = Border(), fill: float = 0.0, like: Tensor
    ) -> None:
        channels, height, width = shape
        self.border = border
        self.size = border.around(shape)
        self.memory = torch.full((count, *self.size, channels), fill, dtype=like.dtype, device=like.device)
        top, left = border.before
        self.values = self.memory[:, top : top + height, left : left + width].permute(0, 3, 1, 2)  # (N, C, H, W)
        self._pixels = self.memory.view(-1, channels)

    @classmethod
    def of(cls, values: Tensor) -> "FeatureCache":
        """A copy of maps (N, C, H, W), without a border."""
        cache = cls(len(values), values.shape[1:], like=values)
        cache.values.copy_(values)
        return cache

    def read(self, index: Tensor, starts: Tensor, size: Pair) -> Tensor:
        """(B, C, h, w) windows of ``size`` of the maps ``index`` (B,), from the positions ``starts`` (2, B) on."""
        height, width = size
        rows = self._rows(index, starts, height)
        found = self._pixels.index_select(0, self._spread(rows, width))
        return found.view(-1, height, width, found.shape[-1]).permute(0, 3, 1, 2)

    def write(self, index: Tensor, starts: Tensor, windows: Tensor) -> None:
        """Puts windows (B, C, h, w) into the maps ``index`` (B,); where windows overlap, they must agree."""
        _, channels, height, width = windows.shape
        rows = self._rows(index, starts, height)
        values = windows.permute(0, 2, 3, 1)
        if self.memory.device.type == "cpu" and self.memory.dtype in (torch.float32, torch.float64):
            # torch copies pixel by pixel, NumPy row by row: three times as fast
            memory = self.memory.numpy()
            step = memory.itemsize
            lines = np.lib.stride_tricks.as_strided(
                memory, (self._pixels.shape[0] - width + 1, width * channels), (channels * step, step)
            )
            lines[rows.numpy()] = values.reshape(-1, width * channels).numpy()
        else:
            self._pixels[self._spread(rows, width)] = values.reshape(-1, channels)

    def _rows(self, index: Tensor, starts: Tensor, height: int) -> Tensor:
        """(B · height,) the pixels that the rows of windows begin with."""
        top, left = self.border.before
        first = (index * self.size[0] + starts[0] + top) * self.size[1] + starts[1] + left
        return (first[:, None] + torch.arange(height, device=first.device) * self.size[1]).flatten()

    def _spread(self, rows: Tensor, width: int) -> Tensor:
        """(B · h · w,) the pixels of rows of this width."""
        return (rows[:, None] + torch.arange(width, device=rows.device)).flatten()
