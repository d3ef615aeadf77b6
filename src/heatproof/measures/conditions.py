"""What a measure asks of curves beside being there: all regions removed, all steps scored, a score above zero."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.stored import as_scores
from heatproof.perturbation.curves import Curves


@dataclass(frozen=True)
class Condition:
    """Something that curves must fulfil, and what to do where they do not."""

    text: str
    remedy: str
    holds: Callable[[Curves | Tensor], bool]

    def check(self, curves: Curves | Tensor, measure: str) -> None:
        """Refuses curves that do not fulfil it."""
        if not self.holds(curves):
            raise InputError(f"{measure} needs {self.text}; {self.remedy}")


def _removes_all(curves: Curves | Tensor) -> bool:
    """Whether every order holds all regions: 0 … L − 1, and no other. Plain scores are taken at their word.

    Regions are numbered without gaps, so fewer than all of them could look the same only if the last ones stayed in
    each image and repeat; with curves of both orders, which remove other regions, never.
    """
    if isinstance(curves, Tensor):
        return True
    regions = curves.protocol.regions
    if isinstance(regions, Tensor) and regions.ndim == 2 and int(regions.max()) + 1 != curves.steps:
        return False
    return bool((curves.orders.sort(dim=-1).values == torch.arange(curves.steps, device=curves.orders.device)).all())


def _scores_all(curves: Curves | Tensor) -> bool:
    return isinstance(curves, Tensor) or curves.scores.shape[-1] == curves.steps + 1


def _begins_above_zero(curves: Curves | Tensor) -> bool:
    scores, _ = as_scores(curves)
    return bool((scores[..., 0] > 0).all())


ALL_REGIONS = Condition(
    "curves to full removal",
    "remove all regions (steps = the number of regions of every image), with larger regions if that takes too long",
    _removes_all,
)
ALL_STEPS = Condition("the score after every step", "perturb again with scored=None", _scores_all)
ABOVE_ZERO = Condition(
    "a score above zero of every untouched image, since it divides by it",
    "take the score 'probability', or leave those images out",
    _begins_above_zero,
)
