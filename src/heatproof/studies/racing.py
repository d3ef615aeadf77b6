"""Images are added until the question is settled; methods that are placed stop costing.

Each pair of methods, and each method with the random order, has intervals that hold at all planned looks at once (alpha
spending). The pairs share an error of 5 %: all that is said is right with 95 %.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from heatproof.errors import InputError
from heatproof.measures import Estimate
from heatproof.measures.intervals import CONFIDENCE
from heatproof.measures.spending import repeated_interval
from heatproof.randomness import addressed
from heatproof.results.settlement import FIRST_LOOK, Rule, Settlement, Standing

LOOK = 8  # images from one look to the next, at least …
SHARE = 50  # … and a fiftieth of those so far: more looks would hardly settle more, and widen later intervals
INDIFFERENCE = 0.1  # of the random order's AOPC


def rule_of(until: str | None, indifference: float | None) -> Rule | None:
    """The rule that was asked for, if any."""
    if until is not None:
        return Rule(until, indifference)
    if indifference is not None:
        raise InputError("indifference needs until: add until='ranked' or until='signs'")
    return None


class Race:
    """Methods that run over more and more images until they are placed.

    >>> rivals = {"good": ["random order"], "bad": ["random order"]}
    >>> race = Race(rivals, Rule("ranked", indifference=0.5), given=500)
    >>> noise = np.random.default_rng(0).standard_normal((3, 40))
    >>> random = 4.1 + 0.1 * noise[2]
    >>> race.add({"good": 9 + noise[0], "bad": 4 + noise[1], "random order": random}, random)
    >>> race.look()
    >>> race.running
    ['bad', 'random order']
    >>> race.settlement.standings["good", "bad"].placed
    'higher'
    """

    def __init__(self, methods: Mapping[str, Sequence[str]], rule: Rule, *, given: int) -> None:
        self.rule, self.given = rule, given
        names = dict.fromkeys([*methods, *(rival for rivals in methods.values() for rival in rivals)])
        self.values: dict[str, np.ndarray] = {name: np.empty(0) for name in names}
        self.of_random, self.looks = np.empty(0), planned_looks(given)
        nothing = Standing(Estimate(np.nan, np.nan, np.nan), 0, "open")
        self.standings = dict.fromkeys(rule.pairs(methods), nothing)

    @property
    def running(self) -> list[str]:
        """Methods, and the reference, that are in a pair that is not settled."""
        needed = {name for pair, standing in self.standings.items() if standing.placed == "open" for name in pair}
        return [name for name in self.values if name in needed]

    @property
    def begun(self) -> bool:
        """Whether the first look has been."""
        return max(map(len, self.values.values())) >= FIRST_LOOK

    @property
    def indifference(self) -> float:
        """Differences below this count as none: by default a share of the random order's AOPC at the first look."""
        if self.rule.indifference is not None:
            return self.rule.indifference
        return INDIFFERENCE * abs(float(self.of_random[:FIRST_LOOK].mean()))

    def add(self, values: Mapping[str, np.ndarray], of_random: np.ndarray | None = None) -> None:
        """Values (n,) of further images, by method that was running, and the random order's AOPC if it was."""
        for name, found in values.items():
            if name in self.values:
                self.values[name] = np.concatenate([self.values[name], found])
        if of_random is not None:
            self.of_random = np.concatenate([self.of_random, of_random])

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
        seen = max((look for look in self.looks if look <= len(differences)), default=0)
        if not seen or self.given < FIRST_LOOK:
            return Standing(Estimate(float(differences.mean()), np.nan, np.nan), len(differences), "open")
        differences = differences[:seen]  # where pictures could not be used, looks come a little later than planned
        level = 1 - (1 - CONFIDENCE) / len(self.standings)
        interval = repeated_interval(differences, self.looks, level=level)
        return Standing(interval, len(differences), _placed(interval, self.indifference))


def planned_looks(given: int) -> tuple[int, ...]:
    """How many images there are at each look, if there are at most so many: the last look is at all of them.

    >>> planned_looks(60), len(planned_looks(10**6))
    ((32, 40, 48, 56, 60), 471)
    """
    looks, following = [], FIRST_LOOK
    while following < given:
        looks.append(following)
        following += LOOK * max(1, following // (SHARE * LOOK))
    return (*looks, given)


def _placed(interval: Estimate, indifference: float) -> str:
    if interval.low > 0:
        return "higher"
    if interval.high < 0:
        return "lower"
    return "equal" if -indifference <= interval.low and interval.high <= indifference else "open"


def at_random(identities: Iterable[str], *, seed: int, purpose: str = "order of images") -> list[int]:
    """The indices of images in an order that depends on the images and the seed, and not on the order given.

    The first images of a folder are often all of one class; what is settled on them would not hold for the rest.
    """
    drawn = [addressed(seed=seed, image=image, purpose=purpose).random() for image in identities]
    return sorted(range(len(drawn)), key=drawn.__getitem__)
