"""Effect sizes: how many standard deviations of the images a difference is; they decide how many images are needed."""

import numpy as np

from heatproof.errors import InputError


def effect_size(differences: np.ndarray) -> float:
    r"""Cohen's d of paired differences (N,): mean over standard deviation; higher is clearer [Cohen1988].

    .. math:: d = \bar{x} / s, \quad s^2 = \frac{1}{N-1} \sum_i (x_i - \bar{x})^2

    Of a positive and a negative control it is the strictly standardised mean difference [Zhang2007]. About
    :math:`(2.8 / d)^2` images are needed to find the difference with a power of 80 % at an error of 5 %. NaN for fewer
    than two images; infinite where all differences are the same and not zero, and 0 where they are all zero.

    >>> effect_size(np.array([1.0, 2.0, 3.0]))
    2.0
    """
    if differences.ndim != 1 or not np.isfinite(differences).all():
        raise InputError(f"differences must be finite, (N,), got {differences.shape}")
    if len(differences) < 2:
        return float("nan")
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread <= 1e-12 * abs(mean):
        return float(np.sign(mean)) * float("inf") if mean else 0.0
    return mean / spread
