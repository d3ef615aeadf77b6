"""What holds in general: some networks stand for all that they could have been drawn from."""

from dataclasses import dataclass

import numpy as np
import scipy

from heatproof.errors import InputError
from heatproof.measures.intervals import CONFIDENCE, Estimate

ROUNDING = 1e-9  # of the values: a spread below it is none


@dataclass(frozen=True)
class General:
    """A mean over networks.

    Attributes:
        estimate: with its 95 % interval over networks; without bounds for fewer than two, or where all have one value.
        networks: how many there are.
        p: of a t-test against zero; NaN where there are no bounds.
    """

    estimate: Estimate
    networks: int
    p: float


def in_general(values: np.ndarray) -> General:
    r"""Mean of one value of each network (K,), with Student's t interval over networks.

    .. math:: \bar{y} \pm t_{K-1}\, s / \sqrt{K}

    Each value is itself a mean over images, whose scatter is part of s. With equally many images of each network this
    is the interval of the mixed model with a random effect of the network; it assumes that the networks are drawn at
    random, and effects that are about normal. Few networks make it wide: with three it is 2.2 times as wide as one that
    would know the spread.

    >>> print(in_general(np.array([1.0, 2.0, 3.0])).estimate)
    2 [-0.484, 4.48]
    """
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise InputError(f"values must be finite, one for each network, got {values.shape}")
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return General(Estimate(mean, np.nan, np.nan), count, np.nan)
    error = float(values.std(ddof=1)) / np.sqrt(count)
    if error <= ROUNDING * np.abs(values).max():  # as of one network twice: nothing is known of how networks differ
        return General(Estimate(mean, np.nan, np.nan), count, np.nan)
    reach = error * float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    p = 2 * float(scipy.stats.t.sf(abs(mean) / error, count - 1))
    return General(Estimate(mean, mean - reach, mean + reach), count, p)


def jackknifed(value: float, without: np.ndarray) -> Estimate:
    r"""A quantity of K networks with its interval over networks, from its values (K,) without each of them.

    .. math:: v \pm t_{K-1} \sqrt{\frac{K - 1}{K} \sum_k (v_{-k} - \bar{v}_{-})^2}

    Where networks are compared with each other, pairs are not independent; leaving out networks, and all their pairs,
    allows for that [Tukey1958]. Of a mean it is Student's interval. Without bounds for fewer than three networks, or
    where one cannot be left out (NaN).

    >>> print(jackknifed(2.0, np.array([2.5, 2.0, 1.5])))  # the mean of 1, 2 and 3
    2 [-0.484, 4.48]
    """
    count = len(without)
    if count < 3 or not np.isfinite(without).all():
        return Estimate(value, np.nan, np.nan)
    error = float(np.sqrt((count - 1) * without.var()))
    reach = error * float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return Estimate(value, value - reach, value + reach)
