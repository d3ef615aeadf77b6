"""95 % intervals of means over images.

Repeats and sampled steps are averaged inside each image first. What they add to the variance is then in the spread
between images, so that an interval over images carries all of it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy

from heatproof.errors import InputError

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over images with its 95 % interval; the bounds are NaN where there are fewer than two images."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies clear of zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        bounds = f"[{self.low:.3g}, {self.high:.3g}]" if np.isfinite([self.low, self.high]).all() else "(no interval)"
        return f"{self.mean:.3g} {bounds}"


@dataclass(frozen=True)
class Sample:
    """What intervals need to know of independent values.

    Attributes:
        count: how many values.
        mean: of the values, any shape.
        error: standard error of the mean.
        skewness: of the values.
    """

    count: int | np.ndarray
    mean: np.ndarray
    error: np.ndarray
    skewness: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Moments of values (N, …) over at least one image; the error of a single image is NaN."""
        if not values.size or not np.isfinite(values).all():
            raise InputError("values must be finite numbers, at least one")
        count, mean = len(values), values.mean(axis=0)
        spread = values.std(axis=0)
        standard = np.divide(values - mean, spread, out=np.zeros(values.shape), where=spread > 0)
        error = spread / np.sqrt(count - 1) if count > 1 else np.full_like(mean, np.nan)
        return cls(count, mean, error, (standard**3).mean(axis=0))

    def within(self, reach: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means that lie within so many standard errors, by both of two measures of distance.

        Student's t is exact for normal values and holds for heavy tails, but the mean of skewed values strays further
        to one side. Hall's transformation of t takes that out, and is shaken by heavy tails [Hall1992]. Each bound is
        the wider one of the two.
        """
        below, above = self._hall(reach), -self._hall(-reach)
        return self.mean - self.error * np.maximum(reach, below), self.mean + self.error * np.maximum(reach, above)

    def _hall(self, reach: float | np.ndarray) -> np.ndarray:
        """The t whose transformed value is ``reach``.

        Hall's monotone cubic t + k (t² / 3 + 1 / 6) + k² t³ / 27 with k = skewness / √count, solved for t and written
        so that it needs no division by k.
        """
        slant = self.skewness / np.sqrt(self.count)
        shifted = reach - slant / 6
        root = np.cbrt(1 + slant * shifted)
        return np.asarray(3 * shifted / (root**2 + root + 1))


def estimate(values: np.ndarray) -> Estimate:
    """Mean of (N,) independent values with its 95 % interval, in their unit; NaN bounds for a single value.

    For a paired difference give the differences per image. The interval is Student's, widened on the side to which a
    skewed sample strays (:meth:`Sample.within`). Simulated at 8 to 200 images, it holds the mean in 93 to 97 % of the
    cases: for normal values, heavy tails, a skewness up to 2, and AOPCs and their differences as found on ILSVRC2012
    (98 % for methods that nearly agree). BCa holds it in 83 to 93 % below 25 images [Student1908, Hall1992].

    >>> print(estimate(np.arange(20.0)))
    9.5 [6.73, 12.3]
    """
    mean, low, high = estimate_curve(values)
    return Estimate(float(mean), float(low), float(high))


def estimate_curve(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of (N, L) over N images with their pointwise intervals, as of :func:`estimate`: mean, low, high (L,)."""
    sample = Sample.of(values)
    low, high = sample.within(float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, max(1, sample.count - 1))))
    return sample.mean, low, high


def resampled(values: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """(R, N) how often each of N images is drawn, as many with replacement; NaN where there is only one.

    Draws belong to images in the order of their ``values`` (V, N): that in which they are given makes no difference.
    """
    count = values.shape[1]
    found = np.full((RESAMPLES, count), np.nan)
    if count > 1:
        generator = np.random.default_rng(seed)
        found[:, np.lexsort(values)] = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return found


def percentile_estimate(value: float, drawn: np.ndarray) -> Estimate:
    """A value with the interval of what resampling gave (R,); NaN bounds where most draws have no value."""
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(known) < len(drawn) / 2:
        return Estimate(value, np.nan, np.nan)
    low, high = np.percentile(known, (100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2))
    return Estimate(value, float(low), float(high))
