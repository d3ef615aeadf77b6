"""Images are added until the question is settled; methods that are placed stop costing.

Each pair of methods, and each method with the random order, has an interval that holds at all numbers of images at
once, so that one may look whenever one likes. The pairs share an error of 5 %: all that is said is right with 95 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from heatproof.errors import InputError
from heatproof.measures import Estimate
from heatproof.measures.anytime import confidence_sequence
from heatproof.measures.intervals import CONFIDENCE
from heatproof.randomness import addressed
from heatproof.registry import unknown

UNTIL = ("signs", "ranked")
LOOK = 8  # images from one look to the next
INDIFFERENCE = 0.05  # of the random order's AOPC


@dataclass(frozen=True)
class Rule:
    """When to stop adding images.

    Attributes:
        until: "signs" (each method is above or below the random order) or "ranked" (the methods are also told apart).
        indifference: differences below this, in the score's unit, count as none; by default a twentieth of the random
            order's AOPC.
    """

    until: str
    indifference: float | None = None

    def __post_init__(self) -> None:
        if self.until not in UNTIL:
            raise InputError(unknown("end of adding images (until)", self.until, UNTIL))
        if self.indifference is not None and not 0 <= self.indifference < np.inf:
            raise InputError(f"indifference must be 0 or more, in the score's unit, got {self.indifference}")

    def pairs(self, methods: Sequence[str], reference: str) -> list[tuple[str, str]]:
        """Which differences are to be settled."""
        signs = [(method, reference) for method in methods]
        return signs if self.until == "signs" else [*signs, *combinations(methods, 2)]


def rule_of(until: str | None, indifference: float | None) -> Rule | None:
    """The rule that was asked for, if any."""
    if until is not None:
        return Rule(until, indifference)
    if indifference is not None:
        raise InputError("indifference is for until, which was not given: add until='ranked' or 'signs'")
    return None


@dataclass(frozen=True)
class Standing:
    """What is known of the difference between two methods.

    Attributes:
        difference: AOPC of the first minus that of the second, with an interval that holds whenever one stops, for all
            pairs at once.
        images: on which both were measured.
        placed: "higher", "lower", "equal" (the difference is below the indifference), or "open".
    """

    difference: Estimate
    images: int
    placed: str


@dataclass(frozen=True)
class Settlement:
    """How a comparison ended that added images until it was settled.

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

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
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


class Race:
    """Methods that run over more and more images until they are placed.

    >>> race = Race(["good", "bad"], "random order", Rule("ranked", indifference=0.5))
    >>> noise = np.random.default_rng(0).standard_normal((3, 40))
    >>> race.add({"good": 9 + noise[0], "bad": 4 + noise[1], "random order": 4.1 + 0.1 * noise[2]})
    >>> race.running
    ['bad', 'random order']
    >>> race.settlement(given=500).standings["good", "bad"].placed
    'higher'
    """

    def __init__(self, methods: Sequence[str], reference: str, rule: Rule) -> None:
        self.rule, self.reference = rule, reference
        self.values: dict[str, np.ndarray] = {name: np.empty(0) for name in (*methods, reference)}
        nothing = Standing(Estimate(np.nan, np.nan, np.nan), 0, "open")
        self.standings = dict.fromkeys(rule.pairs(methods, reference), nothing)

    @property
    def running(self) -> list[str]:
        """Methods, and the reference, that are in a pair that is not settled."""
        needed = {name for pair, standing in self.standings.items() if standing.placed == "open" for name in pair}
        return [name for name in self.values if name in needed]

    @property
    def indifference(self) -> float:
        """Differences below this count as none."""
        if self.rule.indifference is not None:
            return self.rule.indifference
        return INDIFFERENCE * abs(float(self.values[self.reference].mean()))

    def add(self, values: Mapping[str, np.ndarray]) -> None:
        """AOPC (n,) of further images, by method that was running; looks at every pair that is open."""
        for name, found in values.items():
            self.values[name] = np.concatenate([self.values[name], found])
        for pair, standing in self.standings.items():
            if standing.placed == "open":
                self.standings[pair] = self._stand(*pair)

    def settlement(self, *, given: int) -> Settlement:
        """How it ended, of so many images that were given."""
        images = {name: len(values) for name, values in self.values.items()}
        return Settlement(self.rule, self.indifference, dict(self.standings), images, given)

    def _stand(self, first: str, second: str) -> Standing:
        differences = self.values[first] - self.values[second]
        level = 1 - (1 - CONFIDENCE) / len(self.standings)
        interval = confidence_sequence(differences, level=level)
        return Standing(interval, len(differences), _placed(interval, self.indifference))


def _placed(interval: Estimate, indifference: float) -> str:
    if interval.low > 0:
        return "higher"
    if interval.high < 0:
        return "lower"
    return "equal" if -indifference <= interval.low and interval.high <= indifference else "open"


def at_random(identities: Iterable[str], *, seed: int) -> list[int]:
    """The indices of images in an order that depends on the images and the seed, and not on the order given.

    The first images of a folder are often all of one class; what is settled on them would not hold for the rest.
    """
    drawn = [addressed(seed=seed, image=image, purpose="order of images").random() for image in identities]
    return sorted(range(len(drawn)), key=drawn.__getitem__)
