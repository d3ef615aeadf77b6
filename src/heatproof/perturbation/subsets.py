"""Any subset of an image's regions, removed: the images that orders pass through, and single regions alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.network.precision import in_precision
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.dropping import Remaining
from heatproof.perturbation.patches import regions_of_patches
from heatproof.perturbation.perturbing import perturb_orders
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.replacing import imputation, replacement_images
from heatproof.perturbation.scores import SCORES, scored
from heatproof.perturbation.trajectories import Impute, OnProgress
from heatproof.randomness import identify

AT_ONCE = 500  # single regions, so that a block of trajectories stays small


@dataclass(frozen=True)
class Removal:
    """An image of which subsets of its regions are removed, exactly as along the orders of curves.

    Attributes:
        image: (C, H, W).
        regions: (H, W) region indices, −1 = never removed.
        target: class index, or two: the target, and the class that it is asked against.
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
        removed = _of_regions(subsets, self.regions)  # (S, H, W)
        images = self.image.expand(len(subsets), *self.image.shape)
        return self._impute(images, removed, torch.full((len(subsets),), repeat))

    def scores(self, network: Network, subsets: Tensor, repeat: int, on_progress: OnProgress) -> Tensor:
        """(S,) the target's score without the regions of each subset (S, R), in float64; evaluated in full."""
        score, found = SCORES.resolve(self.protocol.score), torch.empty(len(subsets), dtype=torch.float64)
        for numbers, logits in self._logits(network, subsets, repeat):
            target = self.target.to(network.device).expand(len(numbers), *self.target.shape)
            found[numbers] = scored(score, logits, target).double()
            on_progress(len(numbers))
        return found

    def _logits(self, network: Network, subsets: Tensor, repeat: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Numbers (b,) of some subsets, and logits (b, classes) without their regions."""
        network, memory = in_precision(network, self.protocol.precision), self.protocol.evaluation_memory
        if not self.protocol.drops:
            for numbers in torch.arange(len(subsets)).split(network.batch_size(tuple(self.image.shape), memory)):
                yield numbers, network.logits(self.without(subsets[numbers], repeat).to(network.device))
            return
        remaining = Remaining(network, self.image[None], memory=memory)
        (patches,) = regions_of_patches(self.regions[None], remaining.tokens.grid)
        for numbers, left in remaining.batches(_of_regions(subsets, patches).flatten(start_dim=1)):
            yield numbers, remaining.logits(torch.zeros_like(numbers), left)

    @cached_property
    def _impute(self) -> Impute:
        if self.protocol.imputes:
            return imputation(self.protocol, [self.id])
        replacements = replacement_images(self.image[None], self.protocol, [self.id])[0]  # (repeats, C, H, W)
        return lambda images, removed, owners: torch.where(removed[:, None], replacements[owners], images)


def _of_regions(subsets: Tensor, regions: Tensor) -> Tensor:
    """(S, h, w) whether each place of a map (h, w) of regions belongs to a region of each subset (S, R)."""
    border = torch.zeros(len(subsets), 1, dtype=torch.bool)  # a last column, for region −1
    return torch.cat([subsets, border], dim=1)[:, regions]


def removals(images: Tensor, curves: Curves) -> Iterator[Removal]:
    """The images of curves, each with its regions, to be removed in the same way as there."""
    protocol, regions = _as_curves_removed(images, curves)
    for number, name in enumerate(curves.images):
        yield Removal(images[number].cpu(), regions[number], curves.asked[number].cpu(), protocol, name)


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


def single_region_drops(
    network: Network, images: Tensor, curves: Curves, *, on_progress: OnProgress | None = None
) -> list[np.ndarray]:
    """f(x) − f(x∖r) for each region r of each image, removed alone and replaced as the curves did it [Hesse2024].

    It evaluates the network, with the engine of the protocol: ``single_region_evaluations`` says beforehand how often.
    One result serves all heatmaps of these images.

    Args:
        network: the classifier.
        images: (N, C, H, W) those of the curves.
        curves: of any order; regions, replacement, repeats and score are theirs.
        on_progress: called with the number of network evaluations since the last call.

    Returns:
        (repeats, R) for each image, in the unit of the score, in float64.

    >>> from torch import nn
    >>> from heatproof.perturbation import perturb
    >>> network = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> drops = single_region_drops(network, images, perturb(network, images, order="random", repeats=3))
    >>> len(drops), drops[0].shape
    (2, (3, 4))
    """
    protocol, regions = _as_curves_removed(images, curves)
    counts = regions.flatten(start_dim=1).amax(dim=1) + 1
    found: dict[int, np.ndarray] = {}
    for count in counts.unique().tolist():  # superpixels differ in number
        some = (counts == count).nonzero()[:, 0]
        local = replace(protocol, regions=regions[some], steps=1, scored=None)
        ids = [curves.images[number] for number in some.tolist()]
        drops = _drops(network, images[some], count, curves.asked[some], local, ids, on_progress)
        found |= dict(zip(some.tolist(), drops, strict=True))
    return [found[number] for number in range(len(images))]


def single_region_evaluations(regions: int, repeats: int) -> int:
    """How many evaluations single regions take for each image: one a region and repeat, and the untouched image.

    >>> single_region_evaluations(16, 1), single_region_evaluations(625, 10)
    (17, 6252)
    """
    return regions * repeats + ceil(regions / AT_ONCE)


def _drops(
    network: Network,
    images: Tensor,
    count: int,
    targets: Tensor,
    protocol: Protocol,
    ids: Sequence[str],
    on_progress: OnProgress | None,
) -> np.ndarray:
    """(n, repeats, R) of images with the same number of regions: each region is an order of its own."""
    parts = []
    for some in torch.arange(count).split(AT_ONCE):
        orders = {region: torch.full((len(images), 1, 1), region) for region in some.tolist()}
        curves = perturb_orders(network, images, orders, targets, protocol, ids, on_progress)
        parts += [one.scores[..., 0].double() - one.scores[..., 1].double() for one in curves.values()]
    found: np.ndarray = torch.stack(parts, dim=-1).numpy()
    return found


def _as_curves_removed(images: Tensor, curves: Curves) -> tuple[Protocol, Tensor]:
    """The protocol of the curves, fitted, and regions (N, H, W) of their images."""
    if len(images) != len(curves.images):
        raise InputError(f"images must be the {len(curves.images)} images of the curves, got {len(images)}")
    given, known = tuple(identify(images)), tuple(curves.images)  # which may be names
    if given != known and sorted(given) == sorted(known):
        raise InputError("images must be those of the curves in the same order, got them in another order")
    protocol = curves.protocol.fitted(images)
    return protocol, as_regions(protocol.regions, images)
