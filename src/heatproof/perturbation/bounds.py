"""The best and the worst order of an image: bounds of AOPC over all orders [Edin2025]."""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.subsets import Removal, removals
from heatproof.perturbation.trajectories import OnProgress

EXACT_REGIONS = 16  # 65 535 evaluations for each image and repeat

Drops = Callable[[np.ndarray], np.ndarray]  # subsets (S, R), True = removed -> (S,) f(x) − f(x∖S)


@dataclass(frozen=True)
class OrderBounds:
    """AOPC of the worst and of the best order of each image.

    Attributes:
        lower: (N, repeats) in the unit of the score; from a beam search, no lower order was found.
        upper: (N, repeats); from a beam search, no better order was found.
        steps: number L of regions that the orders remove.
        evaluations: how many the search took.
        exact: whether they are bounds over all orders.
    """

    lower: Tensor
    upper: Tensor
    steps: int
    evaluations: int
    exact: bool


def order_bounds(
    network: Network,
    images: Tensor,
    curves: Curves,
    *,
    beam: int | None = None,
    on_progress: OnProgress | None = None,
) -> OrderBounds:
    """Least and greatest AOPC(L) over all orders of removing the regions of each image, as the curves removed them.

    Exact by dynamic programming over subsets S of regions, best[S] = v[S] + max over i in S of best[S∖i] with
    v[S] = f(x) − f(x∖S), or searched for with a beam [Edin2025]. It evaluates the network, in full:
    ``bound_evaluations`` says beforehand how often. One result serves all methods that were compared.

    Args:
        network: the classifier.
        images: (N, C, H, W) those of the curves.
        curves: of any order; regions, replacement, repeats, steps and score are theirs.
        beam: how many subsets are followed at each step, for more than 16 regions; none for exact bounds.
        on_progress: called with the number of network evaluations since the last call.

    Returns:
        Bounds (N, repeats) in the unit of the score. A beam's lie between the exact ones.

    Raises:
        InputError: for more than 16 regions without a beam.

    >>> from torch import nn
    >>> from heatproof.perturbation import perturb
    >>> network = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> found = order_bounds(network, images, perturb(network, images, order="random", repeats=1))
    >>> found.lower.shape, found.evaluations
    (torch.Size([2, 1]), 30)
    """
    lower, upper, done = [], [], 0

    def count(evaluations: int) -> None:
        nonlocal done
        done += evaluations
        if on_progress:
            on_progress(evaluations)

    for removal, scores in zip(removals(images, curves), curves.scores, strict=True):
        _check(removal.count, beam)
        for repeat, untouched in enumerate(scores[:, 0].tolist()):
            drops = _drops(removal, network, repeat, untouched, count)
            least, most = _extremes(drops, removal.count, curves.steps, beam)
            lower.append(least / (curves.steps + 1))
            upper.append(most / (curves.steps + 1))
    shape = curves.scores.shape[:2]
    low, high = (torch.tensor(part, dtype=torch.float64).reshape(shape) for part in (lower, upper))
    return OrderBounds(low, high, curves.steps, done, exact=beam is None)


def bound_evaluations(regions: int, steps: int, *, beam: int | None = None) -> int:
    """How many evaluations bounds take for each image and repeat: exactly so many, or with a beam at most.

    Args:
        regions: R, how many an image has.
        steps: L, how many of them are removed.
        beam: how many subsets are followed at each step; none for exact bounds.

    Raises:
        InputError: for more than 16 regions without a beam.

    >>> bound_evaluations(16, 16), bound_evaluations(16, 4), bound_evaluations(625, 100, beam=5)
    (65535, 2516, 570500)
    """
    _check(regions, beam)
    if beam is None:
        return sum(comb(regions, size) for size in range(1, steps + 1))
    followed = [min(beam, comb(regions, size)) * (regions - size) for size in range(steps)]
    return 2 * sum(min(grown, comb(regions, size + 1)) for size, grown in enumerate(followed))


def best_total(values: np.ndarray, regions: int, steps: int) -> float:
    """The greatest sum of values (2^R,) of the subsets that an order of so many steps passes through.

    Bit i of the index of a subset says whether region i is removed.

    >>> best_total(np.array([0.0, 1.0, 3.0, 4.0]), 2, 2)  # {region 1}, then both
    7.0
    """
    subsets, sizes = np.arange(2**regions), _members(regions).sum(axis=1)
    best = np.full(2**regions, -np.inf)
    best[0] = 0
    for size in range(1, steps + 1):
        level = subsets[sizes == size]
        smaller = [np.where(level >> bit & 1, best[level & ~(1 << bit)], -np.inf) for bit in range(regions)]
        best[level] = values[level] + np.max(smaller, axis=0)
    return float(best[sizes == steps].max())


def searched_total(drops: Drops, regions: int, steps: int, *, beam: int, sign: int = 1) -> float:
    """The greatest sum (with sign −1: the least) that a beam search finds; exact if the beam holds all subsets."""
    subsets, totals = np.zeros((1, regions), dtype=bool), np.zeros(1)
    for _ in range(steps):
        followed, added = np.nonzero(~subsets)
        grown = subsets[followed]
        grown[np.arange(len(grown)), added] = True
        grown, same = np.unique(grown, axis=0, return_inverse=True)
        best = np.full(len(grown), -np.inf)
        np.maximum.at(best, same.reshape(-1), totals[followed])  # the best way to each subset
        best += sign * drops(grown)
        kept = np.argsort(-best, kind="stable")[:beam]
        subsets, totals = grown[kept], best[kept]
    return float(sign * totals.max())


def _extremes(drops: Drops, regions: int, steps: int, beam: int | None) -> tuple[float, float]:
    """The least and the greatest sum of drops over orders."""
    if beam is not None:
        least, most = (searched_total(drops, regions, steps, beam=beam, sign=sign) for sign in (-1, 1))
        return least, most
    members = _members(regions)
    sizes = members.sum(axis=1)
    wanted = (sizes >= 1) & (sizes <= steps)
    values = np.zeros(2**regions)
    values[wanted] = drops(members[wanted])
    return -best_total(-values, regions, steps), best_total(values, regions, steps)


def _members(regions: int) -> np.ndarray:
    """(2^R, R) all subsets of R regions; bit i of the index is region i."""
    members: np.ndarray = (np.arange(2**regions)[:, None] >> np.arange(regions) & 1).astype(bool)
    return members


def _drops(removal: Removal, network: Network, repeat: int, untouched: float, on_progress: OnProgress) -> Drops:
    def drops(subsets: np.ndarray) -> np.ndarray:
        found: np.ndarray = untouched - removal.scores(network, torch.from_numpy(subsets), repeat, on_progress).numpy()
        return found

    return drops


def _check(regions: int, beam: int | None) -> None:
    if beam is None and regions > EXACT_REGIONS:
        raise InputError(
            f"exact bounds need all subsets of an image's regions, so there may be {EXACT_REGIONS} at most, got "
            f"{regions}: take larger regions, or a beam search (beam=5)"
        )
    if beam is not None and beam < 1:
        raise InputError(f"beam must be at least 1, got {beam}")
