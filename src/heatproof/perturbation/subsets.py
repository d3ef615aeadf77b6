"""Any subset of an image's regions, removed: the images that orders pass through, without an order."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.replacing import imputation, replacement_images
from heatproof.perturbation.scores import SCORES, scored
from heatproof.perturbation.sequences import Impute, OnProgress


@dataclass(frozen=True)
class Removal:
    """An image of which subsets of its regions are removed, exactly as along the orders of curves.

    Attributes:
        image: (C, H, W).
        regions: (H, W) region indices, −1 = never removed.
        target: class index.
        protocol: how regions are removed and scored.
        id: identity of the image.
    """

    image: Tensor
    regions: Tensor
    target: Tensor
    protocol: Protocol
    id: str

    @property
    def count(self) -> int:
        """R, how many regions the image has."""
        return int(self.regions.max()) + 1

    def without(self, subsets: Tensor, repeat: int) -> Tensor:
        """(S, C, H, W) the image with the regions of each subset (S, R) removed; True = removed."""
        border = torch.zeros(len(subsets), 1, dtype=torch.bool)  # a last column, for region −1
        removed = torch.cat([subsets, border], dim=1)[:, self.regions]  # (S, H, W)
        images = self.image.expand(len(subsets), *self.image.shape)
        return self._impute(images, removed, torch.full((len(subsets),), repeat))

    def scores(self, network: Network, subsets: Tensor, repeat: int, on_progress: OnProgress) -> Tensor:
        """(S,) the target's score without the regions of each subset (S, R), in float64; evaluated in full."""
        size = network.batch_size(tuple(self.image.shape), self.protocol.evaluation_memory)
        score, found = SCORES.resolve(self.protocol.score), []
        for batch in subsets.split(size):
            logits = network.logits(self.without(batch, repeat).to(network.device))
            found.append(scored(score, logits, self.target.to(network.device).expand(len(batch))))
            on_progress(len(batch))
        return torch.cat(found).double()

    @cached_property
    def _impute(self) -> Impute:
        if self.protocol.imputes:
            return imputation(self.protocol, [self.id])
        replacements = replacement_images(self.image[None], self.protocol, [self.id])[0]  # (repeats, C, H, W)
        return lambda images, removed, owners: torch.where(removed[:, None], replacements[owners], images)


def removals(images: Tensor, curves: Curves) -> Iterator[Removal]:
    """The images of curves, each with its regions, to be removed in the same way as there.

    Raises:
        InputError: where there are not as many images as curves.
    """
    if len(images) != len(curves.images):
        raise InputError(f"images must be the {len(curves.images)} images of the curves, got {len(images)}")
    protocol = curves.protocol.fitted(images)
    regions = as_regions(protocol.regions, images)
    for number, name in enumerate(curves.images):
        yield Removal(images[number].cpu(), regions[number], curves.targets[number].cpu(), protocol, name)


def passed_through(order: Tensor, count: int) -> Tensor:
    """(L + 1, R) the subsets that an order (L,) of some of R regions passes through, the empty one first.

    >>> passed_through(torch.tensor([2, 0]), 3).int()
    tensor([[0, 0, 0],
            [0, 0, 1],
            [1, 0, 1]], dtype=torch.int32)
    """
    steps = len(order)
    removed_at = torch.full((count,), steps + 1).scatter(0, order, torch.arange(1, steps + 1))
    return removed_at <= torch.arange(steps + 1)[:, None]
