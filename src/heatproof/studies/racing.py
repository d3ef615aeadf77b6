"""Images are added until the question is settled; methods that are placed stop costing.

Each pair of methods, and each method with the random order, has intervals that hold at all planned looks at once (alpha
spending). The pairs share an error of 5 %: all that is said is right with 95 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from heatproof.errors import InputError
from heatproof.measures import Estimate
from heatproof.measures.intervals import CONFIDENCE
from heatproof.measures.spending import repeated_interval
from heatproof.randomness import addressed
from heatproof.registry import unknown
from heatproof.studies.contrast import Contrast
from heatproof.studies.verdict import listed

UNTIL = ("signs", "ranked")
LOOK = 8  # images from one look to the next
FIRST_LOOK = 32  # images: fewer say too little about how skewed the differences are
INDIFFERENCE = 0.1  # of the random order's AOPC


@dataclass(frozen=True)
class Rule:
    """When to stop adding images.

    Attributes:
        until: "signs" (each method is above or below the random order) or "ranked" (the methods are also told apart).
        indifference: differences below this, in the score's unit, count as none; by default a tenth of the random
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

    @property
    def taken(self) -> int:
        """How many images were looked at."""
        return max(self.images.values())

    @property
    def verdict(self) -> list[str]:
        """How it ended, one sentence after the other."""
        equal = [pair for pair, standing in self.standings.items() if standing.placed == "equal"]
        margin = f"less than {self.indifference:.3g} apart (the indifference)"
        return [
            self._end(),
            f"No difference that counts, {margin}: {_pairs(equal)}." if equal else "",
            f"The {len(self.standings)} intervals of differences hold at all looks at once with 95 % (alpha spending): "
            "to stop when it was settled makes nothing look surer than it is.",
        ]

    def judge(self, differences: Mapping[tuple[str, str], np.ndarray]) -> dict[tuple[str, str], Contrast]:
        """What is known of some pairs, of which only the names are needed; those not asked about are left out."""
        return {pair: found for pair in differences if (found := self._contrast(pair))}

    def _contrast(self, pair: tuple[str, str]) -> Contrast | None:
        """For a pair that may be the other way round."""
        if pair in self.standings:
            standing = self.standings[pair]
            return Contrast(standing.difference, standing.images, standing.placed in ("higher", "lower"))
        turned = self._contrast(pair[::-1]) if pair[::-1] in self.standings else None
        if turned is None:
            return None
        value = turned.estimate
        return replace(turned, estimate=Estimate(-value.mean, -value.high, -value.low))

    def _end(self) -> str:
        asked = "Which methods are above the random order" if self.rule.until == "signs" else "The ranking"
        if not self.open:
            spared = f" of {self.given}" if self.taken < self.given else ""
            return f"{asked} is settled after {self.taken}{spared} images."
        if self.given < FIRST_LOOK:
            return f"{asked} cannot be settled with {self.given} images: the first look is at {FIRST_LOOK}."
        return (
            f"{asked} is not settled with all {self.given} images; open: {_pairs(self.open)}. Give more images, or a "
            "larger indifference."
        )

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

    >>> race = Race(["good", "bad"], "random order", Rule("ranked", indifference=0.5), given=500)
    >>> noise = np.random.default_rng(0).standard_normal((3, 40))
    >>> race.add({"good": 9 + noise[0], "bad": 4 + noise[1], "random order": 4.1 + 0.1 * noise[2]})
    >>> race.look()
    >>> race.running
    ['bad', 'random order']
    >>> race.settlement.standings["good", "bad"].placed
    'higher'
    """

    def __init__(self, methods: Sequence[str], reference: str, rule: Rule, *, given: int) -> None:
        self.rule, self.reference, self.given = rule, reference, given
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
        """AOPC (n,) of further images, by method that was running."""
        for name, found in values.items():
            self.values[name] = np.concatenate([self.values[name], found])

    def look(self) -> None:
        """Looks at every pair that is open."""
        for pair, standing in self.standings.items():
            if standing.placed == "open":
                self.standings[pair] = self._stand(*pair)

    @property
    def settlement(self) -> Settlement:
        """How it stands, or ended."""
        images = {name: len(values) for name, values in self.values.items()}
        return Settlement(self.rule, self.indifference, dict(self.standings), images, self.given)

    def _stand(self, first: str, second: str) -> Standing:
        differences = self.values[first] - self.values[second]
        looks = self._looks(len(differences))
        seen = max((look for look in looks if look <= len(differences)), default=0)
        if not seen or self.given < FIRST_LOOK:
            return Standing(Estimate(float(differences.mean()), np.nan, np.nan), len(differences), "open")
        differences = differences[:seen]  # where pictures could not be used, looks come a little later than planned
        level = 1 - (1 - CONFIDENCE) / len(self.standings)
        interval = repeated_interval(differences, looks, level=level, last=self.given)
        return Standing(interval, len(differences), _placed(interval, self.indifference))

    def _looks(self, images: int) -> tuple[int, ...]:
        """Planned looks up to so many images, and about as many further ones: a data set may have millions."""
        planned = range(FIRST_LOOK, self.given, LOOK)
        done = len(range(FIRST_LOOK, min(images + 1, self.given), LOOK))
        first = planned[: 1 << done.bit_length()]
        return tuple(first) if len(first) < len(planned) else (*planned, self.given)


def _placed(interval: Estimate, indifference: float) -> str:
    if interval.low > 0:
        return "higher"
    if interval.high < 0:
        return "lower"
    return "equal" if -indifference <= interval.low and interval.high <= indifference else "open"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return listed([f"{first} with {second}" for first, second in pairs])


def at_random(identities: Iterable[str], *, seed: int) -> list[int]:
    """The indices of images in an order that depends on the images and the seed, and not on the order given.

    The first images of a folder are often all of one class; what is settled on them would not hold for the rest.
    """
    drawn = [addressed(seed=seed, image=image, purpose="order of images").random() for image in identities]
    return sorted(range(len(drawn)), key=drawn.__getitem__)
