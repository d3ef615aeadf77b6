"""Paired differences over images, and which of a family of them are significant."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np

from heatproof.measures import Estimate, estimate
from heatproof.measures.intervals import CONFIDENCE
from heatproof.measures.significance import holm, sign_flip, wilcoxon

Name = TypeVar("Name", bound=Hashable)
Key = TypeVar("Key", bound=tuple[str, ...])

ERROR = round(1 - CONFIDENCE, 6)  # family-wise: the probability that any difference is significant by chance


@dataclass(frozen=True)
class Contrast:
    """A mean difference over images.

    Attributes:
        estimate: the difference with its interval, which is not corrected for the family.
        images: how many images it is over.
        significant: whether it differs significantly from zero, corrected for the family.
        sign_flip: p-value of the sign-flip test of the mean, corrected for the family; none if something else decided.
        wilcoxon: p-value of Wilcoxon's signed-rank test, corrected for the family; none if something else decided.
    """

    estimate: Estimate
    images: int
    significant: bool
    sign_flip: float | None = None
    wilcoxon: float | None = None

    @property
    def above(self) -> bool:
        """Whether it is significantly above zero."""
        return self.significant and self.estimate.mean > 0

    @property
    def below(self) -> bool:
        """Whether it is significantly below zero."""
        return self.significant and self.estimate.mean < 0

    @property
    def turned(self) -> "Contrast":
        """The same difference, seen from the other side."""
        found = self.estimate
        return replace(self, estimate=Estimate(-found.mean, -found.high, -found.low))


def higher_first(found: Mapping[Key, Contrast]) -> dict[Key, Contrast]:
    """Pairs, by keys that end in two names, each with the one first that is higher on the images that both have.

    Where some have fewer images, that need not be the one whose own mean is higher.
    """
    turned = {key: one.estimate.mean < 0 for key, one in found.items()}
    return {_reversed(key) if turned[key] else key: one.turned if turned[key] else one for key, one in found.items()}


def ahead(found: Mapping[Key, Contrast], key: Key) -> Contrast | None:
    """By how much the last but one name of a key is ahead of the last, whichever of them the pair begins with."""
    other = found.get(_reversed(key))
    return found.get(key) or (None if other is None else other.turned)


def _reversed(key: Key) -> Key:
    return cast("Key", (*key[:-2], key[-1], key[-2]))


Judge = Callable[[Mapping[tuple[str, str], np.ndarray]], dict[tuple[str, str], Contrast]]


def each_alone(differences: Mapping[Name, np.ndarray]) -> dict[Name, Contrast]:
    """Tests each of several differences (N,) per image as if it were the only one, by sign flips.

    >>> found = each_alone({"ahead": 1 + np.arange(6.0), "level": np.arange(6.0) - 2.5})
    >>> found["ahead"].sign_flip, found["level"].significant
    (0.03125, False)
    """
    if not differences:
        return {}
    flipped = sign_flip(_filled(differences)).tolist()
    return {
        name: Contrast(estimate(values), len(values), p <= ERROR, p)
        for (name, values), p in zip(differences.items(), flipped, strict=True)
    }


def contrasts(differences: Mapping[Name, np.ndarray]) -> dict[Name, Contrast]:
    """Tests a family of differences (N,) per image; some may have fewer images than others.

    A difference is significant if its sign-flip test gives p ≤ 0.05 after Holm's correction: the probability that any
    difference of the family is significant by chance is at most 5 %.

    >>> steps = np.arange(10.0)
    >>> found = contrasts({"ahead": 1 + steps, "level": steps - 4.5})
    >>> found["ahead"].significant, found["level"].significant
    (True, False)
    """
    if not differences:
        return {}
    filled = _filled(differences)
    corrected = zip(holm(sign_flip(filled)).tolist(), holm(wilcoxon(filled)).tolist(), strict=True)
    return {
        name: Contrast(estimate(values), len(values), flipped <= ERROR, flipped, ranked)
        for (name, values), (flipped, ranked) in zip(differences.items(), corrected, strict=True)
    }


def _filled(differences: Mapping[Name, np.ndarray]) -> np.ndarray:
    """(N, M) of M differences, those of fewer images filled with zeros, which count for nothing."""
    most = max(map(len, differences.values()))
    return np.stack([np.pad(values, (0, most - len(values))) for values in differences.values()], axis=1)
