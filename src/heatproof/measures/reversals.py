"""Whether another condition ranks the same methods in the same way, on the same images.

A condition is how methods are judged: a replacement, an order, a score, a size of regions. Its values (M, N) say of M
methods on N images how good each one is; higher is better, in any unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from heatproof.errors import InputError
from heatproof.measures.intervals import CONFIDENCE, Estimate, estimate
from heatproof.measures.series import TAILS, resampled
from heatproof.measures.significance import holm

LARGEST = 1e9  # |t| of values that are all the same


@dataclass(frozen=True)
class Reversal:
    """Two methods that provably change places.

    Attributes:
        higher: the method that is better as compared …
        lower: … than this one.
        condition: under which it is the other way round.
        here: values of ``higher`` minus those of ``lower``, as compared: above zero.
        there: the same under the condition: below zero.
        p: of both signs being chance, corrected for all pairs and conditions that were tested [Holm1979].
    """

    higher: str
    lower: str
    condition: str
    here: Estimate
    there: Estimate
    p: float


def ranking_agreement(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Estimate:
    """Kendall's τ between the rankings of M methods by the means of two (M, N), with its interval over images.

    1: both rank the methods alike; −1: one ranks them backwards [Kendall1938]. Drawing images again (percentile
    bootstrap, the same images for both) adds noise to both rankings, so the interval lies rather too low than too high.
    NaN for one method, or where a condition finds all equal; NaN bounds for one image.

    >>> print(ranking_agreement(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [1.0, 2.0]])))
    -1 [-1, -1]
    """
    _check(first, second)
    value = float(kendall(first.mean(axis=1)[None], second.mean(axis=1)[None])[0])
    if np.isnan(value) or first.shape[1] < 2:
        return Estimate(value, np.nan, np.nan)
    drawn = resampled(first.shape[1], seed=seed) / first.shape[1]
    low, high = np.nanpercentile(kendall(drawn @ first.T, drawn @ second.T), TAILS)
    return Estimate(value, float(low), float(high))


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(R,) Kendall's τ_b of each row of (R, M) with the same row of another; NaN where a row is all ties.

    >>> kendall(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]]))
    array([0.33333333])
    """
    one, other = (np.diff(part[:, _pairs(part.shape[1])], axis=2)[..., 0] for part in (first, second))
    signs = np.sign(one) * np.sign(other)
    untied = np.sqrt((one != 0).sum(axis=1) * (other != 0).sum(axis=1))
    found: np.ndarray = np.divide(signs.sum(axis=1), untied, out=np.full(len(one), np.nan), where=untied > 0)
    return found


def reversals(
    names: Sequence[str], here: np.ndarray, conditions: Mapping[str, np.ndarray], *, error: float = 1 - CONFIDENCE
) -> list[Reversal]:
    """Pairs of M methods that are ranked one way by ``here`` (M, N) and provably the other way by a condition (M, N).

    For a pair and a condition, both paired differences must be shown to lie on opposite sides of zero: p is twice the
    larger one of the two one-sided values [Berger1982], of Student's t or of Hall's transformation of it, whichever is
    larger (:func:`~heatproof.measures.estimate` has why). Holm's correction runs over all pairs and conditions, so that
    the probability of any false reversal is at most ``error``.

    >>> rng = np.random.default_rng(0)
    >>> values = np.array([[1.0], [0.0]]) + 0.1 * rng.standard_normal((2, 20))
    >>> [(found.higher, found.condition) for found in reversals(["a", "b"], values, {"backwards": -values})]
    [('a', 'backwards')]
    """
    for there in conditions.values():
        _check(here, there)
    ahead = here.mean(axis=1)
    pairs = [(a, b) if ahead[a] >= ahead[b] else (b, a) for a, b in combinations(range(len(here)), 2)]
    if not pairs or not conditions or here.shape[1] < 2:
        return []
    first, second = np.array(pairs).T
    kept = one_sided(here[first] - here[second])
    turned = [one_sided(there[second] - there[first]) for there in conditions.values()]
    p = holm(2 * np.maximum(kept, np.stack(turned)).ravel()).reshape(len(conditions), -1)
    return [
        Reversal(
            higher=names[pairs[pair][0]],
            lower=names[pairs[pair][1]],
            condition=list(conditions)[condition],
            here=_difference(here, pairs[pair]),
            there=_difference(list(conditions.values())[condition], pairs[pair]),
            p=float(p[condition, pair]),
        )
        for condition, pair in np.argwhere(p <= error)
    ]


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


def _difference(values: np.ndarray, pair: tuple[int, int]) -> Estimate:
    return estimate(values[pair[0]] - values[pair[1]])


def _pairs(count: int) -> np.ndarray:
    """(count · (count − 1) / 2, 2) which rows make a pair."""
    return np.array(list(combinations(range(count), 2)), dtype=int).reshape(-1, 2)


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise InputError(f"conditions must have values (M, N) of the same shape, got {first.shape} and {second.shape}")
