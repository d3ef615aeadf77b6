"""Orders: which region is removed first, and after which steps the score is evaluated.

MoRF starts with the most relevant region, LeRF with the least.

All steps are scored, or one drawn at random in each stratum: steps 1 … L are cut into K strata of nearly equal size,
and one step is drawn in each, for each image and repeat, the same for all orders; a score stands for as many steps as
its stratum has. So every sum over steps is estimated without bias, and neighbouring steps, which say nearly the same,
are not paid for [Cochran1977].
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation.regions import relevance_of_regions
from heatproof.randomness import addressed
from heatproof.registry import unknown

ORDERS = ("morf", "lerf", "random")


def ranking(relevance: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(R,) region indices, most relevant first; equal relevance is ordered by a shuffle, never by position.

    >>> ranking(np.array([0.1, 0.7, 0.2]), np.random.default_rng(0))
    array([1, 2, 0])
    """
    shuffled = generator.permutation(len(relevance))
    return shuffled[np.argsort(-relevance[shuffled], kind="stable")]


def orders_of_heatmaps(
    heatmaps: Tensor, regions: Tensor, *, order: str, steps: int, seed: int, ids: Sequence[str]
) -> Tensor:
    """(N, 1, steps) the regions that ``order`` ("morf" or "lerf") removes; one order serves all repeats.

    LeRF walks the ranking of MoRF from its end.
    """
    rankings = [
        ranking(relevance, addressed(seed=seed, image=image, purpose="ties"))
        for relevance, image in zip(relevance_of_regions(heatmaps, regions), ids, strict=True)
    ]
    walked = [found if order == "morf" else found[::-1] for found in rankings]
    return torch.from_numpy(np.stack([found[:steps] for found in walked]))[:, None]


def random_orders(regions: Tensor, *, steps: int, repeats: int, seed: int, ids: Sequence[str]) -> Tensor:
    """(N, repeats, steps) a shuffle of the regions for each image and repeat: the reference."""
    counts = regions.flatten(start_dim=1).amax(dim=1) + 1
    shuffles = [
        [
            addressed(seed=seed, image=image, purpose="random order", repeat=repeat).permutation(int(count))[:steps]
            for repeat in range(repeats)
        ]
        for image, count in zip(ids, counts, strict=True)
    ]
    return torch.from_numpy(np.array(shuffles))


def given_orders(order: Tensor, regions: Tensor, repeats: int) -> Tensor:
    """(N, 1 or repeats, L) a caller's own order of regions, checked."""
    if not isinstance(order, Tensor):
        raise TypeError(f"order must be a name or a tensor of region indices, got {type(order).__name__}")
    if order.is_floating_point():
        raise InputError(f"order must hold region indices, whole numbers, got {order.dtype}")
    count = len(regions)
    checked = order[:, None] if order.ndim == 2 else order
    if checked.ndim != 3 or len(checked) != count or checked.shape[1] not in (1, repeats) or 0 in checked.shape:
        raise InputError(
            f"order must have shape (N, L) or (N, repeats, L) with N = {count} and repeats = {repeats}, got "
            f"{tuple(order.shape)}"
        )
    checked = checked.cpu().long()
    largest = regions.flatten(start_dim=1).amax(dim=1)
    if bool((checked < 0).any()) or bool((checked.amax(dim=(1, 2)) > largest).any()):
        raise InputError(
            f"order must name regions 0 … {int(largest.min())}, got {int(checked.min())} … {int(checked.max())}"
        )
    ascending = checked.sort(dim=2).values
    if bool((ascending[:, :, 1:] == ascending[:, :, :-1]).any()):
        raise InputError("order must not name a region twice for the same image")
    return checked


def check_order(order: str) -> None:
    """Refuses an order that is not known."""
    if order not in ORDERS:
        raise InputError(unknown("order", order, ORDERS))


def stratum_ends(steps: int, scored: int) -> Tensor:
    """(K + 1,) the last step of each stratum; the untouched image, step 0, is a stratum of its own.

    >>> stratum_ends(10, 4)
    tensor([ 0,  2,  5,  7, 10])
    """
    return torch.arange(scored + 1) * steps // scored


def scored_steps(steps: int, scored: int, *, repeats: int, seed: int, ids: Sequence[str]) -> Tensor:
    """(N, repeats, K) ascending steps, one drawn in each of K strata of 1 … L for each image and repeat.

    >>> scored_steps(4, 4, repeats=1, seed=0, ids=["an image"])
    tensor([[[1, 2, 3, 4]]])
    """
    ends = stratum_ends(steps, scored).numpy()
    if scored == steps:
        return torch.arange(1, steps + 1).expand(len(ids), repeats, steps)
    drawn = [
        [
            addressed(seed=seed, image=image, purpose="scored steps", repeat=repeat).integers(
                ends[:-1] + 1, ends[1:] + 1
            )
            for repeat in range(repeats)
        ]
        for image in ids
    ]
    return torch.from_numpy(np.array(drawn))
