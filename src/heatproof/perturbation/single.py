"""Single regions: what each one takes when it alone is removed."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.perturbing import perturb_orders
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.sequences import OnProgress

AT_ONCE = 500  # regions, so that a block of sequences stays small


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
    if len(images) != len(curves.images):
        raise InputError(f"images must be the {len(curves.images)} images of the curves, got {len(images)}")
    protocol = curves.protocol.fitted(images)
    regions = as_regions(protocol.regions, images)
    counts = regions.flatten(start_dim=1).amax(dim=1) + 1
    found: dict[int, np.ndarray] = {}
    for count in counts.unique().tolist():  # superpixels differ in number
        some = (counts == count).nonzero()[:, 0]
        local = replace(protocol, regions=regions[some], steps=1, scored=None)
        ids = [curves.images[number] for number in some.tolist()]
        drops = _drops(network, images[some], count, curves.targets[some], local, ids, on_progress)
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
