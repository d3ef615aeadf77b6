"""Images that are disturbed a little: by noise, or by a shift of a few pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.options.changing import StabilityOptions
from heatproof.randomness import addressed

DIRECTIONS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]


@dataclass(frozen=True)
class Disturbed:
    """Images that were disturbed, and where their pixels went.

    Attributes:
        images: (N, C, H, W) in [0, 1].
        moved: (N, 2) rows and columns by which each was shifted.
        margin: how many pixels along each edge are not compared.
    """

    images: Tensor
    moved: np.ndarray
    margin: int

    def aligned(self, heatmaps: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heatmaps (N, H, W) of the images, and others of the disturbed ones shifted back, on the part that both have.

        >>> moved = Disturbed(torch.zeros(1, 3, 3, 4), np.array([[0, 1]]), margin=1)
        >>> first, second = moved.aligned(np.arange(12).reshape(1, 3, 4), np.arange(12).reshape(1, 3, 4))
        >>> first.tolist(), second.tolist()
        ([[[5, 6]]], [[[6, 7]]])
        """
        margin, (height, width) = self.margin, heatmaps.shape[1:]
        rows, columns = slice(margin, height - margin), slice(margin, width - margin)
        back = [
            np.roll(one, (-row, -column), axis=(0, 1)) for one, (row, column) in zip(others, self.moved, strict=True)
        ]
        return heatmaps[:, rows, columns], np.stack(back)[:, rows, columns]


def noisy(images: Tensor, ids: Sequence[str], options: StabilityOptions, draw: int) -> Disturbed:
    """Images (N, C, H, W) with independent Gaussian noise on each pixel and channel; what leaves [0, 1] is cut off."""
    noise = [
        addressed(seed=options.seed, image=one, purpose="noise of an image", repeat=draw).standard_normal(
            tuple(images.shape[1:]), dtype=np.float32
        )
        for one in ids
    ]
    added = options.noise * torch.from_numpy(np.stack(noise)).to(images)
    return Disturbed((images + added).clamp(0, 1), np.zeros((len(images), 2), dtype=int), margin=0)


def shifted(images: Tensor, ids: Sequence[str], options: StabilityOptions, draw: int) -> Disturbed:
    """Images (N, C, H, W) shifted along a side or a diagonal, with their edges replicated.

    Each image gets the eight directions in an order of its own.
    """
    by, (height, width) = options.shift, images.shape[2:]
    if 2 * by >= min(height, width):
        raise InputError(f"shift must be less than half of the images' {height} x {width} pixels, got {by}")
    turns = [addressed(seed=options.seed, image=one, purpose="shifts of an image").permutation(8) for one in ids]
    moved = by * np.array([DIRECTIONS[turn[draw % 8]] for turn in turns])
    padded = torch.nn.functional.pad(images, (by, by, by, by), mode="replicate")
    parts = [
        one[:, by - row : by - row + height, by - column : by - column + width]
        for one, (row, column) in zip(padded, moved.tolist(), strict=True)
    ]
    return Disturbed(torch.stack(parts), moved, margin=by)


DISTURBANCES = {"noise": noisy, "shift": shifted}
