"""Intervals at several looks at growing data, whose errors add up to one: alpha spending [Lan1983].

How many values there will be at most, and when one looks, is planned. When the share t of them is there, the share
t^1.5 of the error has been spent (the power family of [Kim1987]). The intervals of all looks hold the mean at once
(repeated confidence intervals [Jennison1989]), so that one may stop at any of them.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy

from heatproof.errors import InputError
from heatproof.measures.intervals import Estimate, Sample

POWER = 1.5  # 1 would spend evenly, but early, where skewed values stray most; 2 would settle less early
NODES = 200  # of the quadrature: enough where looks come no more often than every hundredth of the values


def repeated_interval(values: np.ndarray, looks: Sequence[int], *, level: float) -> Estimate:
    """Mean of (N,) independent values with its interval at a look that was planned, valid at all looks at once.

    Args:
        values: (N,) in any unit; N is one of the looks.
        looks: how many values there are at each look, ascending; all planned before the first.
        level: probability that the intervals of all looks hold the mean.

    Returns:
        The mean with its interval, in the unit of ``values``. The bounds become wider for skewed values, as those of
        ``estimate``.

    >>> print(repeated_interval(np.arange(100.0), [50, 100, 200], level=0.95))
    49.5 [42.2, 56.8]
    """
    if len(values) not in looks:
        planned = ", ".join(map(str, looks))
        raise InputError(f"expected as many values as at one of the looks, {planned}, got {len(values)}")
    sample = Sample.of(values)
    z = boundaries(tuple(looks), level)[list(looks).index(len(values))]
    low, high = sample.within(scipy.stats.t.isf(scipy.stats.norm.sf(z), len(values) - 1))
    return Estimate(float(sample.mean), float(low), float(high))


@lru_cache(maxsize=64)
def boundaries(looks: tuple[int, ...], level: float) -> np.ndarray:
    """(K,) how many standard errors the interval of each look reaches to each side, for normal values of known spread.

    The sum of the values, in units in which that at the last look has the variance 1, is a Brownian motion. Its density
    among paths that have stayed inside is followed from look to look by numerical integration [Armitage1969].

    >>> boundaries((100,), 0.95).round(2)
    array([1.96])
    >>> boundaries((25, 50, 75, 100), 0.95).round(2)
    array([2.73, 2.47, 2.29, 2.15])
    """
    times = np.array(looks) / looks[-1]
    spent = (1 - level) * np.diff(times**POWER, prepend=0)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    sums, masses, found = np.zeros(1), np.ones(1), []  # of the paths that have stayed inside
    for spread, leaving, time in zip(np.sqrt(np.diff(times, prepend=0)), spent, times, strict=True):
        edge = _edge(sums, masses, spread, leaving)
        steps = ((edge * nodes)[:, None] - sums) / spread
        density = np.exp(-0.5 * steps**2) @ masses / (spread * np.sqrt(2 * np.pi))
        sums, masses = edge * nodes, edge * weights * density
        found.append(edge / np.sqrt(time))
    return np.array(found)


def _edge(sums: np.ndarray, masses: np.ndarray, spread: float, leaving: float) -> float:
    """Boundary, to both sides, that a share ``leaving`` of all paths crosses at the next look."""

    def excess(edge: float) -> float:
        outside = scipy.special.ndtr((sums - edge) / spread) + scipy.special.ndtr(-(sums + edge) / spread)
        return float(masses @ outside) - leaving

    return float(scipy.optimize.brentq(excess, 0.0, 40.0))
