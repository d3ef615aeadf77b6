"""Quantities of several networks on the same images: ratios of means, rank correlations, intervals over images."""

import numpy as np
import pytest
from scipy import stats

from heatproof.errors import InputError
from heatproof.measures import estimate
from heatproof.measures.agreement import partial_spearman, ranking_agreement, spearman
from heatproof.measures.intervals import RESAMPLES, resampled
from heatproof.measures.series import Series, partial_rank_correlation, rank_correlation


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_values_are_means_or_ratios_of_means():
    above, below = np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[1.0, 7.0], [-4.0, 2.0]])
    np.testing.assert_allclose(Series(above).values(), [2.0, 2.0])
    np.testing.assert_allclose(Series(above, below).values(), [0.5, np.nan])  # the second has a mean below zero


def test_drawn_values_equal_the_loop(rng):
    above, below = rng.normal(size=(3, 5)), rng.uniform(1, 2, size=(3, 5))
    drawn = resampled(above, seed=7)
    found = Series(above, below).values(drawn)
    for row in (0, 1, RESAMPLES - 1):
        images = [image for image, count in enumerate(drawn[row]) for _ in range(int(count))]
        assert len(images) == 5
        expected = [np.mean(above[c, images]) / np.mean(below[c, images]) for c in range(3)]
        np.testing.assert_allclose(found[row], expected)


def test_intervals_of_a_mean_are_estimates(rng):
    values = rng.normal(size=(2, 30))
    assert Series(values).estimates() == [estimate(row) for row in values]


def test_intervals_of_a_ratio_are_those_of_resampled_ratios_up_to_chance(rng):
    above, below = rng.normal(3, 1, size=(1, 200)), rng.uniform(1, 2, size=(1, 200))
    series = Series(above, below)
    (found,) = series.estimates()
    assert found.mean == pytest.approx(above.mean() / below.mean())
    expected = np.percentile(series.values(resampled(above)), (2.5, 97.5))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.03)


def test_numbers_per_image_are_the_first_order_of_the_ratio(rng):
    """Leaving out an image moves the ratio as its number says, up to second order."""
    above, below = rng.normal(3, 1, size=(1, 400)), rng.uniform(1, 2, size=(1, 400))
    series = Series(above, below)
    parts, whole = series.per_image()[0], series.values()[0]
    assert parts.mean() == pytest.approx(whole)
    without = np.ones((400, 400)) - np.eye(400)
    np.testing.assert_allclose(series.values(without)[:, 0], whole - (parts - whole) / 399, atol=1e-4)


def test_a_ratio_to_what_may_be_zero_has_no_interval(rng):
    (found,) = Series(rng.normal(size=(1, 30)), rng.normal(0.01, 1, size=(1, 30)) + 0.05).estimates()
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_scipy_s(rng, ties):
    first, second = rng.normal(size=(4, 9)), rng.normal(size=(4, 9))
    if ties:
        first, second = first.round(), second.round()
    expected = [stats.spearmanr(one, other).statistic for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected)


def test_rank_correlation_by_hand():
    """Three networks ranked 1, 2, 3 and 1, 3, 2: 1 − 6 · (0 + 1 + 1) / (3 · 8) = 0.5."""
    first, second = Series(np.array([[1.0, 1.0], [2.0, 2.0], [9.0, 9.0]])), Series(np.array([[0, 0], [5, 5], [4.0, 4]]))
    found = rank_correlation(first, second)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_rank_correlation_knows_ranks_only(rng):
    values = rng.normal(size=(6, 1)) + np.zeros((6, 8))
    other = Series(rng.normal(size=(6, 1)) + np.zeros((6, 8)))
    plain, bent = rank_correlation(Series(values), other), rank_correlation(Series(np.exp(values)), other)
    assert plain == bent
    assert rank_correlation(Series(-values), other).mean == pytest.approx(-plain.mean)


def test_a_constant_quantity_has_no_rank_correlation(rng):
    found = rank_correlation(Series(np.ones((4, 6))), Series(rng.normal(size=(4, 6))))
    assert all(np.isnan([found.mean, found.low, found.high]))


def same_on_all_images(*values):
    """Networks whose quantity is the same on all of 8 images, so that no draw changes a rank."""
    return Series(np.array(values, dtype=float)[:, None] + np.zeros((len(values), 8)))


def test_partial_rank_correlation_by_hand():
    """Ranks 1 2 3 4, 1 2 4 3 and, given, 2 1 3 4: ρ = 0.8, 0.8 and 0.6, so (0.6 − 0.64) / 0.36 and 0.16 / 0.48."""
    up, last, first = (same_on_all_images(*ranks) for ranks in ((1, 2, 3, 4), (1, 2, 4, 3), (2, 1, 3, 4)))
    found = partial_rank_correlation(first, last, up)
    assert (found.mean, found.low, found.high) == pytest.approx((-1 / 9, -1 / 9, -1 / 9))
    assert partial_rank_correlation(up, last, first).mean == pytest.approx((0.8 - 0.8 * 0.6) / (0.6 * 0.8))


def test_partial_spearman_is_what_regressions_on_ranks_leave(rng):
    """The correlation of the residuals, when both rankings are regressed on the third by scipy."""
    rows = rng.normal(size=(3, 5, 12)).round(1)  # with ties
    expected = []
    for one, other, third in zip(*rows, strict=True):
        ranks = [stats.rankdata(part) for part in (one, other, third)]
        lines = [stats.linregress(ranks[2], part) for part in ranks[:2]]
        left = [part - line.slope * ranks[2] for part, line in zip(ranks[:2], lines, strict=True)]
        expected.append(stats.pearsonr(*left).statistic)
    np.testing.assert_allclose(partial_spearman(*rows), expected)


def test_partial_rank_correlation_finds_what_is_added_only(rng):
    """The accuracy is made of the confidence and something else: a copy of the confidence adds nothing to it."""
    confidence, hidden = rng.normal(size=(2, 400))
    accuracy = same_on_all_images(*(confidence + hidden))
    copy, witness = confidence + 0.5 * rng.normal(size=400), hidden + 0.5 * rng.normal(size=400)
    copied, witnessed = (
        partial_rank_correlation(same_on_all_images(*part), accuracy, same_on_all_images(*confidence)).mean
        for part in (copy, witness)
    )
    assert abs(copied) < 0.1
    assert witnessed > 0.8
    assert rank_correlation(same_on_all_images(*copy), accuracy).mean > 0.5


def test_where_the_third_explains_everything_nothing_is_left(rng):
    ranks = rng.permutation(30)
    other, squares = same_on_all_images(*rng.permutation(30)), same_on_all_images(*ranks**3)
    for given in (squares, Series(-squares.numerator)):
        found = partial_rank_correlation(other, same_on_all_images(*ranks), given)
        assert np.isnan([found.mean, found.low, found.high]).all()


def test_one_image_has_no_intervals():
    one = Series(np.array([[1.0], [2.0], [4.0]]))
    assert [value.mean for value in one.estimates()] == [1, 2, 4]
    assert np.isnan(one.estimates()[0].low)
    found = rank_correlation(one, one)
    assert found.mean == 1
    assert np.isnan(found.low)


@pytest.mark.parametrize("of", [rank_correlation, partial_rank_correlation, ranking_agreement])
def test_the_order_of_images_does_not_matter(of, rng):
    values = rng.normal(size=(3, 6, 30)) if of is partial_rank_correlation else rng.normal(size=(2, 6, 30))
    order = rng.permutation(30)
    given = (list(values), list(values[..., order]))
    one, other = (of(*parts) if of is ranking_agreement else of(*map(Series, parts)) for parts in given)
    assert (one.low, one.high) == (other.low, other.high)
    assert one.mean == pytest.approx(other.mean, rel=1e-12)


def test_images_are_drawn_alike_for_all(rng):
    """Two networks that differ by a constant on every image differ by it in every draw."""
    values = rng.normal(size=(1, 30))
    drawn = Series(np.concatenate([values, values + 1])).values(resampled(values))
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 1)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 0), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"must have shape \(C, N\)"):
        Series(np.ones(shape))
    with pytest.raises(InputError, match=r"must have shape \(C, N\)"):
        Series(np.ones((2, 2)), np.ones((2, 3)))
