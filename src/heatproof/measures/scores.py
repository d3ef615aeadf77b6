"""Scores as measures read them, and what measures require of curves.

Every measure takes ``Scores``: curves, or plain scores (N, L + 1) or (N, repeats, L + 1), one for each step, whose
column 0 is the untouched image. Values of repeats are averaged, so a measure has one value for each image, (N,).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation.curves import Curves

Scores = Curves | Tensor


def as_scores(curves: Scores) -> tuple[Tensor, Tensor]:
    """(N, repeats, P) scores in float64, and (P,) how many steps each of them stands for.

    >>> scores, weights = as_scores(torch.tensor([[1.0, 0.5, 0.0]]))
    >>> scores.shape, weights.tolist()
    (torch.Size([1, 1, 3]), [1.0, 1.0, 1.0])
    """
    scores = curves.scores if isinstance(curves, Curves) else curves
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise InputError(f"scores must have shape (N, L + 1) or (N, repeats, L + 1), got {tuple(scores.shape)}")
    scores = (scores if scores.ndim == 3 else scores[:, None]).double()
    weights = curves.weights.to(scores) if isinstance(curves, Curves) else torch.ones_like(scores[0, 0])
    return scores, weights


def mean_drop(curves: Scores) -> Tensor:
    """(N, repeats) mean of f(x⁽⁰⁾) − f(x⁽ᵏ⁾) over all steps: the AOPC of each repeat, in float64."""
    scores, weights = as_scores(curves)
    return (weights * (scores[..., :1] - scores)).sum(dim=-1) / weights.sum()


def check_order(curves: Scores, order: str, measure: str) -> None:
    """Refuses curves of another order."""
    if isinstance(curves, Curves) and curves.order != order:
        raise InputError(f"{measure} needs curves of order {order!r}, got {curves.order!r}")


@dataclass(frozen=True)
class Requirement:
    """Something that curves must fulfil, and what to do where they do not."""

    text: str
    remedy: str
    holds: Callable[[Scores], bool]

    def check(self, curves: Scores, measure: str) -> None:
        """Refuses curves that do not fulfil it."""
        if not self.holds(curves):
            raise InputError(f"{measure} needs {self.text}; {self.remedy}")


def _removes_all(curves: Scores) -> bool:
    """Whether every order holds all regions: 0 … L − 1, and no other. Plain scores are taken at their word.

    Regions are numbered without gaps, so fewer than all of them could look the same only if the last ones stayed in
    each image and repeat; with curves of both orders, which remove other regions, never.
    """
    if isinstance(curves, Tensor):
        return True
    regions = curves.protocol.regions
    if isinstance(regions, Tensor) and regions.ndim == 2 and int(regions.max()) + 1 != curves.steps:
        return False
    return all(_removes_each(block.orders) for block in curves.blocks())


def _removes_each(orders: Tensor) -> bool:
    """Whether each of these orders (N, T, L) holds 0 … L − 1."""
    return bool((orders.sort(dim=-1).values == torch.arange(orders.shape[-1], device=orders.device)).all())


ALL_REGIONS = Requirement(
    "curves to full removal",
    "remove all regions (steps = the number of regions of every image), with larger regions if that takes too long",
    _removes_all,
)
ALL_STEPS = Requirement(
    "the score after every step",
    "perturb again with scored=None",
    lambda curves: isinstance(curves, Tensor) or curves.scores.shape[-1] == curves.steps + 1,
)
ABOVE_ZERO = Requirement(
    "a score above zero of every untouched image, since it divides by it",
    "take the score 'probability', or leave those images out",
    lambda curves: bool((as_scores(curves)[0][..., 0] > 0).all()),
)
