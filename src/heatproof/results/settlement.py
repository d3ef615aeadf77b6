"""The stopping result of a comparison that added images until its question was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from heatproof.errors import InputError
from heatproof.measures import Estimate
from heatproof.measures.intervals import CONFIDENCE
from heatproof.registry import unknown
from heatproof.results.contrasts import Contrast

UNTIL = ("signs", "ranked")
FIRST_LOOK = 32  # images: fewer say too little about how skewed the differences are


@dataclass(frozen=True)
class Rule:
    """When to stop adding images.

    Attributes:
        until: "signs" (each method is above or below the random order) or "ranked" (each two methods are also ranked).
        indifference: differences below this, in the score's unit, count as none; by default a tenth of the random
            order's AOPC at the first look.
    """

    until: str
    indifference: float | None = None

    def __post_init__(self) -> None:
        if self.until not in UNTIL:
            raise InputError(unknown("stopping rule (until)", self.until, UNTIL))
        if self.indifference is not None and not 0 <= self.indifference < np.inf:
            raise InputError(f"indifference must be 0 or more, in the score's unit, got {self.indifference}")

    def pairs(self, methods: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """Which differences are to be settled, for methods and what each must beat."""
        signs = [(method, rival) for method, rivals in methods.items() for rival in rivals]
        return signs if self.until == "signs" else [*signs, *combinations(methods, 2)]


@dataclass(frozen=True)
class Standing:
    """What is known of the difference between two methods.

    Attributes:
        difference: AOPC of the first minus that of the second, with an interval that holds at all looks and for all
            pairs at once; without one before the first look.
        images: on which both were measured.
        placed: "higher", "lower", "equal" (the difference is below the indifference), or "open".
    """

    difference: Estimate
    images: int
    placed: str


@dataclass(frozen=True)
class Settlement:
    """The stopping result of a comparison that added images until its question was decided.

    Attributes:
        rule: when to stop.
        indifference: differences below this counted as none, in the score's unit.
        standings: by pair.
        images: how many each method and the reference got.
        given: how many there were.
    """

    rule: Rule
    indifference: float
    standings: dict[tuple[str, str], Standing]
    images: dict[str, int]
    given: int

    @property
    def open(self) -> list[tuple[str, str]]:
        """Pairs that are not settled."""
        return [pair for pair, standing in self.standings.items() if standing.placed == "open"]

    @property
    def taken(self) -> int:
        """How many images were looked at."""
        return max(self.images.values())

    def judge(self, differences: Mapping[tuple[str, str], np.ndarray]) -> dict[tuple[str, str], Contrast]:
        """What is known of some pairs, of which only the names are needed; those not asked about are left out."""
        return {pair: found for pair in differences if (found := self._contrast(pair))}

    def _contrast(self, pair: tuple[str, str]) -> Contrast | None:
        """The contrast of a pair, which may be stored the other way round."""
        if pair in self.standings:
            standing = self.standings[pair]
            return Contrast(standing.difference, standing.images, standing.placed in ("higher", "lower"))
        other = self._contrast(pair[::-1]) if pair[::-1] in self.standings else None
        return None if other is None else other.turned

    def describe(self) -> dict[str, Any]:
        """The result as JSON-able values."""
        return {
            "until": self.rule.until,
            "indifference": self.indifference,
            "family_wise_error": round(1 - CONFIDENCE, 6),
            "images": self.images,
            "given": self.given,
            "pairs": [
                {
                    "pair": list(pair),
                    "placed": standing.placed,
                    "images": standing.images,
                    "difference": standing.difference.mean,
                    "low": standing.difference.low,
                    "high": standing.difference.high,
                }
                for pair, standing in self.standings.items()
            ],
        }
