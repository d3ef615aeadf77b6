"""What holds in general: an interval over networks covers the mean of all networks as often as it says."""

import numpy as np
import pytest
import scipy

from heatproof.errors import InputError
from heatproof.measures.generality import in_general


@pytest.mark.parametrize("count", [2, 3, 9])
def test_it_is_the_t_interval_and_the_t_test(count):
    values = np.random.default_rng(count).normal(0.4, 1, count)
    expected = scipy.stats.ttest_1samp(values, 0)
    found = in_general(values)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose((found.estimate.low, found.estimate.high), interval, rtol=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.networks == count
    assert found.estimate.mean == pytest.approx(values.mean(), rel=1e-15)


@pytest.mark.parametrize("count", [3, 5, 9])
@pytest.mark.parametrize("skewed", [False, True])
def test_it_covers_the_mean_over_all_networks(count, skewed):
    generator = np.random.default_rng(0)
    surveys, images = 4000, 24
    drawn = generator.exponential(0.4, (surveys, count)) if skewed else generator.normal(0.4, 0.4, (surveys, count))
    seen = drawn + generator.normal(0, 1, (surveys, count, images)).mean(axis=-1)  # each is a mean over images
    covered = [one.low <= 0.4 <= one.high for one in (in_general(values).estimate for values in seen)]
    assert (0.9 if skewed else 0.94) < np.mean(covered) < 0.97


def test_images_alone_cover_too_rarely():
    generator = np.random.default_rng(0)
    networks = generator.normal(0.4, 0.4, (2000, 5))
    values = networks[:, :, None] + generator.normal(0, 1, (2000, 5, 24))
    pooled = values.reshape(2000, -1)
    reach = 1.98 * pooled.std(axis=1, ddof=1) / np.sqrt(pooled.shape[1])
    assert np.mean(np.abs(pooled.mean(axis=1) - 0.4) <= reach) < 0.7  # as if images of one network were networks


def test_one_network_has_no_interval():
    found = in_general(np.array([1.5]))
    assert (found.estimate.mean, found.networks) == (1.5, 1)
    assert np.isnan([found.estimate.low, found.estimate.high, found.p]).all()


def test_networks_that_agree_exactly():
    assert in_general(np.array([2.0, 2.0])).p == 0
    assert in_general(np.zeros(3)).p == 1


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((2, 2)), np.array([1.0, np.nan])])
def test_what_is_no_sample_is_refused(values):
    with pytest.raises(InputError, match="finite, one for each network"):
        in_general(values)
