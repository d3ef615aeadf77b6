"""Whether a method is shown to explain: it must beat the random order, input-only baselines, another image's map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.measures.significance import holm
from heatproof.results.contrasts import ERROR, Contrast, Judge, contrasts, each_alone
from heatproof.results.headline import Values, paired, rivals_of


@dataclass(frozen=True)
class Evidence:
    """What speaks for one method in a symmetric comparison.

    Attributes:
        morf: its MoRF gain, above the random order.
        lerf: its LeRF gain, below the random order.
        rivals: the difference to each control that it must beat, tested alone; none is left out.
        p: the largest p-value of these tests, Holm-corrected for the number of methods; none in a race.
        shown: whether the method beats all of them: it is shown to explain.
    """

    morf: Contrast
    lerf: Contrast
    rivals: Mapping[str, Contrast]
    p: float | None
    shown: bool

    @property
    def unbeaten(self) -> list[str]:
        """The controls, or the random order, than which the method is not significantly better."""
        return [name for name, difference in self.rivals.items() if not difference.above]


def evidence(
    values: Values, halves: tuple[Values, Values], methods: Sequence[str], race: Judge | None = None
) -> dict[str, Evidence]:
    """What speaks for each method.

    A method must beat each of its rivals in a test at 5 % (an intersection–union test [Berger1982]: the largest p-value
    counts, uncorrected, since all must be beaten). Over the methods these p-values are Holm-corrected, so that at most
    5 % of comparisons show any method to explain that does not.

    Args:
        values: ABPC (n,) of methods, controls and the random order.
        halves: MoRF and LeRF gain (n,).
        methods: which are tested.
        race: decides in the place of tests, in a comparison that added images.
    """
    morf, lerf = (contrasts({name: half[name] for name in methods}) for half in halves)
    against = {name: _against(values, name, race) for name in methods}
    largest = np.array([max((_p(one) for one in found.values()), default=1.0) for found in against.values()])
    corrected = holm(largest) if len(largest) else largest
    found = {}
    for name, p in zip(methods, corrected.tolist(), strict=True):
        beaten = bool(against[name]) and all(one.above for one in against[name].values())
        shown = beaten and (race is not None or p <= ERROR)
        found[name] = Evidence(morf[name], lerf[name], against[name], None if race else p, shown)
    return found


def _against(values: Values, method: str, race: Judge | None) -> dict[str, Contrast]:
    """Differences to the rivals, each tested alone."""
    pairs = {(method, rival): paired(values[method], values[rival]) for rival in rivals_of(method, list(values))}
    found = race(pairs) if race else each_alone(pairs)
    return {rival: one for (_, rival), one in found.items()}


def _p(one: Contrast) -> float:
    """The p-value; 1 where the difference points the wrong way."""
    return 1.0 if one.estimate.mean <= 0 or one.sign_flip is None else one.sign_flip
