"""Differences on the same images, and which of a family of them are more than chance."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from heatproof.measures import Estimate, estimate
from heatproof.measures.intervals import CONFIDENCE
from heatproof.measures.significance import holm, sign_flip, wilcoxon

Name = TypeVar("Name", bound=Hashable)

ERROR = round(1 - CONFIDENCE, 6)  # of a family: the probability that anything at all separates by chance


@dataclass(frozen=True)
class Contrast:
    """A mean difference over images.

    Attributes:
        estimate: the difference with its interval, which stands for itself.
        images: how many images it is over.
        separate: whether it is more than chance, with all differences of its family in mind.
        sign_flip: p-value of the sign-flip test of the mean, corrected for the family; none if something else decided.
        wilcoxon: p-value of Wilcoxon's signed-rank test, corrected for the family; none if something else decided.
    """

    estimate: Estimate
    images: int
    separate: bool
    sign_flip: float | None = None
    wilcoxon: float | None = None

    @property
    def above(self) -> bool:
        """Whether it is shown to lie above zero."""
        return self.separate and self.estimate.mean > 0

    @property
    def below(self) -> bool:
        """Whether it is shown to lie below zero."""
        return self.separate and self.estimate.mean < 0


Judge = Callable[[Mapping[tuple[str, str], np.ndarray]], dict[tuple[str, str], Contrast]]


def contrasts(differences: Mapping[Name, np.ndarray]) -> dict[Name, Contrast]:
    """A family of differences (N,) per image; some may have fewer images than others.

    Those whose sign-flip test gives 0.05 or less after Holm's correction separate: the probability that any does so by
    chance is 5 % at most.

    >>> steps = np.arange(10.0)
    >>> found = contrasts({"ahead": 1 + steps, "level": steps - 4.5})
    >>> found["ahead"].separate, found["level"].separate
    (True, False)
    """
    if not differences:
        return {}
    most = max(map(len, differences.values()))
    filled = np.stack([np.pad(values, (0, most - len(values))) for values in differences.values()], axis=1)
    corrected = zip(holm(sign_flip(filled)).tolist(), holm(wilcoxon(filled)).tolist(), strict=True)
    return {
        name: Contrast(estimate(values), len(values), flipped <= ERROR, flipped, ranked)
        for (name, values), (flipped, ranked) in zip(differences.items(), corrected, strict=True)
    }
