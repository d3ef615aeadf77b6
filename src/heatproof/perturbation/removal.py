"""Which regions are removed in which order, and how much of the image is gone: by far the most of what curves hold.

Hardly anything asks for it once an image is measured, so that curves of a run hold where it is stored
(``studies/road/stored_removal.py``), and those in memory hold it (``HeldRemoval``).
"""

import typing
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64  # images whose orders are held at once, where all images of a run are gone through


class Removal(typing.Protocol):
    """Which regions of N images are removed, in which order."""

    @property
    def orders(self) -> Tensor:
        """(N, 1 or repeats, L) index of the region that each step removes."""

    @property
    def removed_fraction(self) -> Tensor:
        """(N, 1 or repeats, L + 1) share of the image's pixels that is removed."""

    @property
    def steps(self) -> int:
        """L, how many regions are removed."""

    @property
    def removed_sum(self) -> tuple[Tensor, int]:
        """(L + 1,) the removed share after each step, added up over images and repeats; and how many these are."""

    def of(self, some: slice, /) -> "Removal":
        """That of some of the images."""

    def joined(self, others: Sequence[typing.Self], /) -> "Removal":
        """This and those of further images as one."""


@dataclass(frozen=True)
class HeldRemoval:
    """Orders and removed fractions in memory."""

    orders: Tensor
    removed_fraction: Tensor

    @property
    def steps(self) -> int:
        """L, how many regions are removed."""
        return self.orders.shape[-1]

    @property
    def removed_sum(self) -> tuple[Tensor, int]:
        """(L + 1,) the removed share after each step, added up over images and repeats; and how many these are."""
        count, repeats = self.removed_fraction.shape[:2]
        return self.removed_fraction.sum(dim=(0, 1)), count * repeats

    def of(self, some: slice) -> "HeldRemoval":
        """That of some of the images."""
        return HeldRemoval(self.orders[some], self.removed_fraction[some])

    def joined(self, others: Sequence[typing.Self]) -> "HeldRemoval":
        """This and those of further images as one."""
        every = [self, *others]
        return HeldRemoval(torch.cat([one.orders for one in every]), torch.cat([one.removed_fraction for one in every]))
