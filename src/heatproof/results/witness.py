"""What planted truth says of the methods of a comparison: a second witness, which perturbs nothing."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from heatproof.measures import Estimate
from heatproof.measures.agreement import agreement_of_samples
from heatproof.results.contrasts import Contrast

SHARE = "share"  # of positive relevance in the right place


class Truth(Protocol):
    """How well heatmaps find what was planted, as ``planted`` measures it."""

    @property
    def values(self) -> Mapping[str, Mapping[str, np.ndarray]]:
        """(P,) of each picture, by quantity and method."""

    @property
    def estimates(self) -> Mapping[str, Mapping[str, Estimate]]:
        """Means over pictures with their intervals, by quantity and method."""

    @property
    def above_chance(self) -> Mapping[str, Mapping[str, Contrast]]:
        """By how much a method exceeds chance, by quantity and method."""

    @property
    def chance(self) -> float:
        """What a constant heatmap gets."""

    @property
    def pictures(self) -> int:
        """How many there are."""


def shared_methods(truth: Truth, methods: Sequence[str]) -> list[str]:
    """The methods that both witnesses know, in the order given."""
    return [name for name in methods if name in truth.values[SHARE]]


def rank_agreement(truth: Truth, values: Mapping[str, np.ndarray], methods: Sequence[str]) -> Estimate:
    """Kendall's τ of the methods' ranking by perturbation (n,) and by their share in the right place.

    Images of both are drawn again, independently, for its interval.
    """
    known = shared_methods(truth, methods)
    shortest = min(len(values[name]) for name in known)
    return agreement_of_samples(
        np.stack([values[name][:shortest] for name in known]), np.stack([truth.values[SHARE][name] for name in known])
    )
