"""Whether another condition ranks the same methods in the same way, on the same images.

A condition is a way to rank methods: a replacement, an order, a score, a size of regions. Its values (M, N) say of M
methods on N images how good each one is; higher is better, in any unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from heatproof.measures.agreement import check_conditions
from heatproof.measures.intervals import CONFIDENCE, Estimate, estimate
from heatproof.measures.significance import holm

CLEAREST = 1e4  # standard deviations that a pair is apart: no more are needed to find it with two images
LARGEST = 1e9  # |t| of values that are all the same
POWER = 0.8
MOST_IMAGES = 1000  # that are looked for


@dataclass(frozen=True)
class Reversal:
    """Two methods whose order is significantly reversed under a condition.

    Attributes:
        higher: the method that is better as compared.
        lower: the other method, which is better under the condition.
        condition: name of the condition.
        here: values of ``higher`` minus those of ``lower``, as compared: above zero.
        there: the same under the condition: below zero.
        p: p-value of both signs being chance, corrected for all pairs and conditions that were tested [Holm1979].
    """

    higher: str
    lower: str
    condition: str
    here: Estimate
    there: Estimate
    p: float


def reversals(
    names: Sequence[str],
    here: np.ndarray,
    conditions: Mapping[str, np.ndarray],
    *,
    error: float = 1 - CONFIDENCE,
    asked: Sequence[tuple[str, str]] | None = None,
) -> list[Reversal]:
    """Pairs of M methods that ``here`` (M, N) ranks one way, and a condition (M, N) significantly the other way.

    For a pair and a condition, both paired differences must lie significantly on opposite sides of zero: p is twice the
    larger one of the two one-sided values [Berger1982], of Student's t or of Hall's transformation of it, whichever is
    larger (:func:`~heatproof.measures.estimate` has why). Holm's correction runs over all pairs and conditions, so that
    the probability of any false reversal is at most ``error``. With ``asked``, only these pairs of names are tested.

    >>> rng = np.random.default_rng(0)
    >>> values = np.array([[1.0], [0.0]]) + 0.1 * rng.standard_normal((2, 20))
    >>> [(found.higher, found.condition) for found in reversals(["a", "b"], values, {"backwards": -values})]
    [('a', 'backwards')]
    """
    for there in conditions.values():
        check_conditions(here, there)
    ahead = here.mean(axis=1)
    pairs = [(a, b) if ahead[a] >= ahead[b] else (b, a) for a, b in combinations(range(len(here)), 2)]
    if asked is not None:
        wanted = {frozenset(pair) for pair in asked}
        pairs = [(a, b) for a, b in pairs if {names[a], names[b]} in wanted]
    if not pairs or not conditions or here.shape[1] < 2:
        return []
    first, second = np.array(pairs).T
    kept = one_sided(here[first] - here[second])
    turned = [one_sided(there[second] - there[first]) for there in conditions.values()]
    p = holm(2 * np.maximum(kept, np.stack(turned)).ravel()).reshape(len(conditions), -1)
    found = []
    for number, pair in np.argwhere(p <= error):
        (a, b), (condition, there) = pairs[pair], list(conditions.items())[number]
        differences = estimate(here[a] - here[b]), estimate(there[a] - there[b])
        found.append(Reversal(names[a], names[b], condition, *differences, float(p[number, pair])))
    return found


def one_sided(values: np.ndarray) -> np.ndarray:
    """(T,) p-values of (T, N) values over N images, each under a mean of at most zero.

    It is the level at which their interval, as of ``estimate``, lies just above zero.

    >>> one_sided(np.array([[-1.0, 1.0], [1.0, 1.0]])).round(3)
    array([0.5, 0. ])
    """
    count, mean, spread = values.shape[1], values.mean(axis=1), values.std(axis=1)
    varies = spread > 4 * np.finfo(values.dtype).eps * np.abs(values).max(axis=1)
    standard = np.divide(values.T - mean, spread, out=np.zeros(values.T.shape), where=varies)
    slant = (standard**3).mean(axis=0) / np.sqrt(count)
    t = np.divide(mean, spread, out=np.where(mean > 0, np.inf, -np.inf), where=varies) * np.sqrt(count - 1)
    t = t.clip(-LARGEST, LARGEST)
    transformed = t + slant * (t**2 / 3 + 1 / 6) + slant**2 * t**3 / 27
    found: np.ndarray = scipy.stats.t.sf(np.minimum(t, transformed), count - 1)
    return found


def images_for_reversal(effect: float, tests: int) -> int:
    """The fewest images with which a reversal is found with a power of 80 %, however many tests there are.

    Args:
        effect: how many standard deviations of the images the pair is apart (Cohen's d), here and under the condition.
        tests: for how many pairs and conditions p-values are corrected (Bonferroni, the strictest step of Holm's).

    >>> images_for_reversal(1.0, tests=1), images_for_reversal(1.0, tests=100), images_for_reversal(0.5, tests=1)
    (10, 25, 34)
    """
    if not effect > 0:
        return MOST_IMAGES
    level, effect = (1 - CONFIDENCE) / (2 * tests), min(effect, CLEAREST)
    for images in range(2, MOST_IMAGES):
        t = float(scipy.stats.t.isf(level, images - 1))
        if scipy.stats.nct.sf(t, images - 1, effect * np.sqrt(images)) >= POWER:
            return images
    return MOST_IMAGES


def answerable(effects: Mapping[tuple[str, str], float], conditions: int, images: int) -> list[tuple[str, str]]:
    """The most pairs, the clearest first, of which a reversal would be found with so many images.

    >>> answerable({("a", "b"): 2.0, ("b", "c"): 0.1}, conditions=5, images=20)
    [('a', 'b')]
    """
    ordered = sorted(effects, key=lambda pair: -effects[pair])
    enough = [
        count
        for count in range(1, len(ordered) + 1)
        if images_for_reversal(effects[ordered[count - 1]], count * conditions) <= images
    ]
    return ordered[: max(enough, default=0)]
