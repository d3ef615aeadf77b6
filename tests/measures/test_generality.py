"""What holds in general: an interval over networks covers the mean of all networks as often as it says."""

import numpy as np
import pytest
import scipy

from heatproof.errors import InputError
from heatproof.measures.generality import in_general, jackknifed


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


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((2, 2)), np.array([1.0, np.nan])])
def test_what_is_no_sample_is_refused(values):
    with pytest.raises(InputError, match="finite, one for each network"):
        in_general(values)


@pytest.mark.parametrize("count", [3, 4, 9])
def test_the_jackknife_of_a_mean_is_the_t_interval(count):
    values = np.random.default_rng(count).normal(0.4, 1, count)
    found = jackknifed(float(values.mean()), (values.sum() - values) / (count - 1))
    expected = in_general(values).estimate
    np.testing.assert_allclose((found.mean, found.low, found.high), (expected.mean, expected.low, expected.high))


def test_the_jackknife_covers_what_pairs_of_networks_share():
    """The mean of x·y over pairs of networks estimates the squared mean; pairs of one network go together."""
    covered, mean, count = [], 1.0, 9
    for values in np.random.default_rng(0).normal(mean, 0.5, (2000, count)):
        products = np.outer(values, values)
        np.fill_diagonal(products, 0)
        without = [(products.sum() - 2 * products[k].sum()) / ((count - 1) * (count - 2)) for k in range(count)]
        found = jackknifed(products.sum() / (count * (count - 1)), np.array(without))
        covered.append(found.low <= mean**2 <= found.high)
    assert 0.92 < np.mean(covered) < 0.97


def test_two_networks_or_one_that_cannot_be_left_out_have_no_interval():
    for without in (np.ones(2), np.array([1.0, np.nan, 0.5])):
        assert np.isnan([jackknifed(1.0, without).low, jackknifed(1.0, without).high]).all()


@pytest.mark.parametrize("values", [[0.7, 0.7], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_where_all_networks_have_one_value_nothing_is_known_of_others(values):
    found = in_general(np.array(values))
    assert np.isnan([found.estimate.low, found.estimate.high, found.p]).all()
