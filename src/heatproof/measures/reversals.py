"""Whether another condition ranks the same methods in the same way, on the same images.

A condition is how methods are judged: a replacement, an order, a score, a size of regions. Its values (M, N) say of M
methods on N images how good each one is; higher is better, in any unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from heatproof.errors import InputError
from heatproof.measures.intervals import CONFIDENCE, Estimate, estimate
from heatproof.measures.series import TAILS, resampled
from heatproof.measures.significance import holm


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
    tested = []
    for name, there in conditions.items():
        _check(here, there)
        for one, other in combinations(range(len(here)), 2):
            first, second = (one, other) if here[one].mean() >= here[other].mean() else (other, one)
            differences = here[first] - here[second], there[first] - there[second]
            tested.append((names[first], names[second], name, differences))
    if not tested or here.shape[1] < 2:
        return []
    raw = [2 * max(one_sided(difference), one_sided(-opposite)) for *_, (difference, opposite) in tested]
    return [
        Reversal(higher, lower, name, estimate(difference), estimate(opposite), float(p))
        for (higher, lower, name, (difference, opposite)), p in zip(tested, holm(np.array(raw)), strict=True)
        if p <= error
    ]


def one_sided(values: np.ndarray) -> float:
    """The p-value of (N,) values under a mean of at most zero: the level at which their interval lies just above zero.

    >>> round(one_sided(np.array([-1.0, 1.0])), 3)
    0.5
    """
    spread = values.std()
    if spread <= 4 * np.finfo(values.dtype).eps * np.abs(values).max():
        return 0.0 if values.mean() > 0 else 1.0
    count = len(values)
    skewness = float((((values - values.mean()) / spread) ** 3).mean())
    t = values.mean() / spread * np.sqrt(count - 1)
    slant = skewness / np.sqrt(count)
    transformed = t + slant * (t**2 / 3 + 1 / 6) + slant**2 * t**3 / 27
    return float(stats.t.sf(min(t, transformed), count - 1))


def _pairs(count: int) -> np.ndarray:
    """(count · (count − 1) / 2, 2) which rows make a pair."""
    return np.array(list(combinations(range(count), 2)), dtype=int).reshape(-1, 2)


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise InputError(f"conditions must have values (M, N) of the same shape, got {first.shape} and {second.shape}")
