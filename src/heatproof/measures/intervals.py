"""95 % bootstrap intervals of means over images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

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
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"


def estimate(values: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of (N,) independent values with its interval (BCa bootstrap) [Efron1987].

    For a paired difference give the differences per image.

    >>> bool(estimate(np.arange(20.0)).low < 9.5 < estimate(np.arange(20.0)).high)
    True
    """
    _check(values)
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, np.nan, np.nan)
    rounding = 4 * np.finfo(values.dtype).eps * np.abs(values).max()
    if np.ptp(values) <= rounding:  # BCa would divide zero by zero
        return Estimate(mean, mean, mean)
    interval = _bootstrap(values, "BCa", seed)
    return Estimate(mean, float(interval.low), float(interval.high))


def estimate_curve(values: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of (N, L) over N images with their pointwise intervals (percentile bootstrap): mean, low, high (L,)."""
    _check(values)
    mean = values.mean(axis=0)
    if len(values) < 2:
        nothing = np.full_like(mean, np.nan)
        return mean, nothing, nothing
    interval = _bootstrap(values, "percentile", seed)
    return mean, interval.low, interval.high


def _check(values: np.ndarray) -> None:
    if not values.size or not np.isfinite(values).all():
        raise InputError("values must be finite numbers, at least one")


def _bootstrap(values: np.ndarray, method: str, seed: int) -> Any:  # noqa: ANN401 - SciPy has no types
    result = stats.bootstrap(
        (values,),
        np.mean,
        axis=0,
        n_resamples=RESAMPLES,
        batch=max(1, 2**24 // values.size),
        confidence_level=CONFIDENCE,
        method=method,
        rng=np.random.default_rng(seed),
    )
    return result.confidence_interval
