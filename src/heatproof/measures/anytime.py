"""Intervals that stay valid however often one looks and whenever one stops."""

import numpy as np

from heatproof.errors import InputError
from heatproof.measures.intervals import CONFIDENCE, Estimate, Sample

EFFECT = 0.3  # methods differ by 0.1 to 1 standard deviations; the small differences cost the images
MINIMUM = 20  # images before the first look: fewer say too little about the skewness


def confidence_sequence(values: np.ndarray, *, level: float = CONFIDENCE, effect: float = EFFECT) -> Estimate:
    """Mean of (N,) independent values with an interval that may be looked at after every value.

    The intervals of all N hold the mean at once with a probability of at least ``level``: one may look after each image
    and stop when the interval is clear of zero. For one of m differences at a family-wise error of 5 %, give a level of
    1 − 0.05 / m.

    The interval holds each m for which the evidence against it, a mixture of t-likelihood ratios over effects δ = (μ −
    m) / σ from N(0, effect²), has not reached 1 / (1 − level); that is exact for normal values [Lai1976, Wang2024].
    Skewed values would break it, so each bound is the wider one of this and of what Hall's transformation gives, as in
    :func:`~heatproof.measures.estimate`. Simulated with 36 differences, looks after every fourth image up to 500, and a
    family-wise 5 %: at least one wrong verdict in 1 % of the runs for normal values, 1.1 % for differences like those
    of SqueezeNet on ILSVRC2012, up to 4 % with a skewness of 3. Rare, large, one-sided values (skewness 5: 12 %) are
    beyond it.

    Args:
        values: (N,) in any unit; for a paired difference, the differences per image.
        level: probability of holding the mean at all N.
        effect: size of the effects (mean / standard deviation) that are to be found with the fewest values.

    Returns:
        The mean with its interval, in the unit of ``values``; the bounds are NaN below ``MINIMUM`` values, and where
        N is too small for the level.

    >>> print(confidence_sequence(np.arange(100.0)))
    49.5 [40.5, 58.5]
    """
    if not 0 < level < 1 or not effect > 0:
        raise InputError(f"level must lie between 0 and 1 and effect above 0, got {level} and {effect}")
    sample = Sample.of(values)
    reach = float(sequence_reach(np.array(sample.count), level=level, effect=effect))
    if not np.isfinite(reach):
        return Estimate(float(sample.mean), np.nan, np.nan)
    low, high = sample.within(reach)
    return Estimate(float(sample.mean), float(low), float(high))


def sequence_reach(count: np.ndarray, *, level: float, effect: float = EFFECT) -> np.ndarray:
    r"""How many standard errors the interval reaches to each side after so many values; infinite where too few.

    With ν = n − 1, g = 1 + n · effect² and a mean that lies t standard errors from m, the evidence against m is

    .. math:: E_n = g^{-1/2} \left( \frac{1 + t^2 / \nu}{1 + t^2 / (\nu g)} \right)^{n / 2}

    which rises with \|t\| towards :math:`g^{(n-1)/2}`; it is solved for t at :math:`E_n = 1 / (1 - level)`.
    """
    gain = 1 + count * effect**2
    ratio = np.exp((np.log(gain) / 2 - np.log1p(-level)) * 2 / count)
    found = (count >= MINIMUM) & (ratio < gain)
    squared = np.divide((count - 1) * (ratio - 1), 1 - ratio / gain, out=np.full(np.shape(count), np.inf), where=found)
    return np.asarray(np.sqrt(squared))
