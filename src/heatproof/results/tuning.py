"""What tuning a method is worth: variants compete, and the winner is measured on images that did not choose it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.errors import InputError
from heatproof.measures import Estimate, estimate
from heatproof.randomness import addressed
from heatproof.results.comparison import ComparisonResult
from heatproof.results.part import REFERENCE

FOLDS = 2  # with more, folds share images that choose, and the interval holds in 84 % (5) or 76 % (10) at the worst


@dataclass(frozen=True)
class TunedMethod:
    """A method that was given with alternatives, and what choosing among them is worth; higher is better.

    Attributes:
        name: as it was given.
        variants: names of the variants.
        winner: the variant with the highest mean over all images.
        promised: that mean, which is biased upwards: the images that chose the winner also measure it.
        held_out: the mean of each image's value by the variant that the other fold chose, with its 95 % interval.
        chosen: the variant that was chosen without each fold.
        count: number of images.
    """

    name: str
    variants: tuple[str, ...]
    winner: str
    promised: float
    held_out: Estimate
    chosen: tuple[str, ...]
    count: int


def tuned(name: str, values: Mapping[str, np.ndarray], identities: Sequence[str], *, seed: int = 0) -> TunedMethod:
    """Chooses the best of some variants, and measures by cross-fitting what the choice is worth.

    Each half of the images measures the variant that the other half chose. The mean is unbiased. Its interval is
    simulated to hold in 95 % of cases where variants are much alike on each image (a correlation of 0.9), and in 90 %
    at the worst: where they are independent and equally good, and the halves are tied by choosing for each other.

    Args:
        name: of the method.
        values: (N,) of each image, by variant; higher is better.
        identities: of the N images: they decide the folds, whatever their order.
        seed: of the draw of the folds.

    Raises:
        InputError: for fewer than two different images, which leave none to choose by.

    >>> values = {"mild": np.array([1.0, 2.0, 1.0, 2.0]), "strong": np.array([2.0, 2.0, 2.0, 3.0])}
    >>> found = tuned("either", values, ["a", "b", "c", "d"])
    >>> found.winner, found.promised, round(found.held_out.mean, 2), found.chosen[0]
    ('strong', 2.25, 2.25, 'strong')
    """
    variants, table = tuple(values), np.stack(list(values.values()))  # (variants, N)
    folds = folds_of(identities, seed=seed)
    held_out, chosen = np.empty(table.shape[1]), []
    for fold in range(int(folds.max()) + 1):
        here = folds == fold
        best = int(table[:, ~here].mean(axis=1).argmax())
        held_out[here] = table[best, here]
        chosen.append(variants[best])
    means = table.mean(axis=1)
    winner = int(means.argmax())
    return TunedMethod(
        name, variants, variants[winner], float(means[winner]), estimate(held_out), tuple(chosen), table.shape[1]
    )


def folds_of(identities: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """(N,) the fold of each image: at random, of nearly equal size, the same for the same image.

    Raises:
        InputError: for fewer than two different images.

    >>> folds_of(["a", "b", "a"])
    array([1, 0, 1])
    """
    drawn = {one: addressed(seed=seed, image=one, purpose="folds").random() for one in set(identities)}
    if len(drawn) < 2:
        raise InputError(f"choosing a variant needs at least two different images, got {len(drawn)}")
    place = {one: number % FOLDS for number, one in enumerate(sorted(drawn, key=lambda one: (drawn[one], one)))}
    return np.array([place[one] for one in identities])


def tuned_methods(found: ComparisonResult) -> list[TunedMethod]:
    """The methods of a comparison that were given with alternatives, by what methods are compared by.

    Where a race left variants with fewer images, the first ones count that all have.
    """
    groups: Mapping[str, Sequence[str]] = found.plan.get("tuned", {})
    made = []
    for name, variants in groups.items():
        each = {variant: found.values[variant] for variant in (*variants, REFERENCE)}
        count = min(map(len, each.values()))
        identities = found.identities[:count]
        if len(set(identities)) > 1:
            above = {variant: each[variant][:count] - each[REFERENCE][:count] for variant in variants}
            made.append(tuned(name, above, identities, seed=found.protocol.seed))
    return made
