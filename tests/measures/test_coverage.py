"""Intervals hold the truth as often as they say: simulated on populations whose mean is known.

On 200 ILSVRC2012 images with SqueezeNet, AOPCs of methods have a skewness of 0.3 to 0.7 and a kurtosis near that of
normal values; their paired differences have a skewness up to 1.3 and an excess kurtosis up to 3.5, and 2.3 and 18 for
methods that nearly agree.
"""

import numpy as np
import pytest

from heatproof.measures import estimate, estimate_curve
from heatproof.measures.series import Series

COUNTS = (8, 12, 20, 50, 200)


def tailed(generator, shape):
    """Mostly small, now and then five times as large (excess kurtosis 17), as methods that nearly agree differ."""
    return generator.normal(size=shape) * np.where(generator.random(shape) < 0.03, 5, 1)


def paired(generator, shape):
    """AOPC of two methods on the same images: what images share cancels, what is left is skewed (1.4)."""
    images = 6 * generator.gamma(20, size=shape)
    one, other = images + 4 + generator.gamma(2, size=shape), images + 6 + 0.1 * generator.normal(size=shape)
    return one - other


def nested(generator, shape):
    """Images × 2 repeats × 4 of 16 strata, a step drawn in each; draws are averaged inside images."""
    images = generator.gamma(4, size=(*shape, 1, 1)) - 4
    repeats = images + 0.5 * generator.normal(size=(*shape, 2, 1))
    steps = 4 * np.arange(4) + generator.integers(4, size=(*shape, 2, 4))
    return (repeats + (steps - 7.5) * (1 + images / 4)).mean(axis=(-2, -1))


POPULATIONS = {  # each with mean 0
    "normal": lambda generator, shape: generator.normal(size=shape),
    "AOPC (skewness 0.7)": lambda generator, shape: generator.gamma(8, size=shape) - 8,
    "difference (skewness 1.4, kurtosis 3)": lambda generator, shape: generator.gamma(2, size=shape) - 2,
    "heavy tails (t with 5)": lambda generator, shape: generator.standard_t(5, size=shape),
    "near agreement (kurtosis 17)": tailed,
    "paired": paired,
    "images × repeats × sampled steps": nested,
}


def coverage(population, count, samples):
    """Columns of a band are samples: each is estimated by itself."""
    values = POPULATIONS[population](np.random.default_rng([7, count]), (count, samples))
    _, low, high = estimate_curve(values)
    return np.mean((low <= 0) & (high >= 0))


@pytest.mark.parametrize("population", POPULATIONS)
def test_intervals_hold_the_mean_in_95_of_100_samples(population):
    """10,000 samples a case; the chance error of a share is 0.22 percent points."""
    found = {count: coverage(population, count, 10_000) for count in COUNTS}
    assert all(0.93 <= share <= 0.97 for share in found.values()), found


def test_the_means_of_the_populations_are_zero():
    for name, draw in POPULATIONS.items():
        values = draw(np.random.default_rng(0), (200_000,))
        assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values)), name


def test_the_difference_of_methods_on_images_is_the_paired_population():
    """Without pairing, the interval would be many times as wide."""
    generator = np.random.default_rng(0)
    found = estimate(POPULATIONS["paired"](generator, 100))
    assert found.high - found.low < 1


@pytest.mark.parametrize("count", COUNTS)
def test_ratios_of_means_hold_the_truth(count):
    """As a relative drop: a skewed AOPC over a logit on the same image; 2000 samples."""
    generator = np.random.default_rng([9, count])
    logits = 10 + 2 * generator.normal(size=(2000, count))
    areas = 0.5 * logits + generator.gamma(2, size=(2000, count)) - 2
    found = Series(areas, logits).estimates()
    share = np.mean([one.low <= 0.5 <= one.high for one in found])
    assert 0.93 <= share <= 0.97, share
