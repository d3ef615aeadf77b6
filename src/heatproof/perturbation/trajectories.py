"""Perturbation trajectories: which regions of which image go, in which order, and what takes their place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

OnProgress = Callable[[int], None]  # called with the number of evaluations since the last call
Impute = Callable[[Tensor, Tensor, Tensor], Tensor]  # (images, removed (B, H, W), owners (B,)) -> images


@dataclass(frozen=True)
class Trajectories:
    """Perturbation trajectories of a block of n images, M orders and T repeats.

    Attributes:
        images: (n, C, H, W) in [0, 1].
        replacements: (n, T, C, H, W) what removed pixels become; none where they are imputed or left out.
        regions: (n, H, W) region indices, −1 = never removed.
        orders: (n, M, T, L) region indices, first removed first.
        targets: (n,) class indices, or (n, 2) each with the class that it is asked against.
        scored: (n, M, T, K) ascending steps, from 1 to L, after which the score is wanted.
        impute: fills removed pixels from what is left at a step, if they are not copied from ``replacements``; to it an
            owner is an image and a repeat, n · T in all.
        drops: whether the tokens of removed patches are left out, so that nothing takes their place.
    """

    images: Tensor
    replacements: Tensor | None
    regions: Tensor
    orders: Tensor
    targets: Tensor
    scored: Tensor
    impute: Impute | None = None
    drops: bool = False

    def __len__(self) -> int:
        """How many trajectories there are: n · M · T."""
        return self.orders.shape[:3].numel()

    def owners(self, trajectories: Tensor) -> tuple[Tensor, Tensor]:
        """Indices of the image, and of the replacement (n · T in all), of trajectories that are numbered through."""
        _, orders, repeats, _ = self.orders.shape
        image = trajectories // (orders * repeats)
        return image, image * repeats + trajectories % repeats

    @cached_property
    def maps(self) -> Tensor:
        """(n or 1, H, W) the maps of regions, once if they are all the same."""
        return distinct(self.regions)

    @property
    def first_region(self) -> Tensor:
        """(n,) index of each image's first region, where the regions of all ``maps`` are counted through."""
        each = int(self.maps.max()) + 1 if len(self.maps) > 1 else 0
        return torch.arange(len(self.images)) * each

    @cached_property
    def removed_at(self) -> Tensor:
        """(n · M · T, H, W) the step, from 1, at which each pixel is removed; L + 1 for pixels that stay."""
        count, orders, repeats, steps = self.orders.shape
        number = int(self.regions.max()) + 1
        step_of_region = torch.full((count, orders, repeats, number + 1), steps + 1)  # the last entry is for −1
        step_of_region.scatter_(3, self.orders, torch.arange(1, steps + 1).expand(self.orders.shape))
        index = torch.where(self.regions < 0, number, self.regions).flatten(start_dim=1)
        gathered = step_of_region.gather(3, index[:, None, None].expand(count, orders, repeats, -1))
        return gathered.reshape(-1, *self.regions.shape[1:])

    def result(self, untouched: Tensor, scores: Tensor) -> Tensor:
        """(n, M, T, K + 1) from scores of the untouched images (n,) and of all steps, counted through.

        Several scores at once are a last axis of all three.
        """
        first = untouched[:, None, None, None].expand(*self.orders.shape[:3], 1, *untouched.shape[1:])
        return torch.cat([first, scores.reshape(*self.scored.shape, *untouched.shape[1:])], dim=3)


def distinct(regions: Tensor) -> Tensor:
    """(n or 1, H, W) maps of regions (n, H, W), once if they are all the same."""
    return regions[:1] if bool((regions == regions[:1]).all()) else regions
