import numpy as np
import pytest
from scipy import optimize, stats

from heatproof.measures import Estimate, estimate, estimate_curve
from heatproof.measures.intervals import CONFIDENCE


def normal(count, *, seed=0, mean=3.0, spread=2.0):
    return np.random.default_rng(seed).normal(mean, spread, count)


def t_interval(values):
    return stats.t.interval(CONFIDENCE, len(values) - 1, loc=values.mean(), scale=stats.sem(values))


@pytest.mark.parametrize("seed", range(3))
def test_near_the_t_interval_on_normal_data(seed):
    values = normal(100, seed=seed)
    found = estimate(values)
    low, high = t_interval(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(low, abs=0.1 * (high - low))
    assert found.high == pytest.approx(high, abs=0.1 * (high - low))


def test_each_bound_is_the_wider_one_of_student_and_hall():
    """Hall's cubic, as published, is solved by root finding; the long tail moves its bounds to one side."""
    values = np.random.default_rng(0).exponential(size=60)
    found, (low, high), error = estimate(values), t_interval(values), stats.sem(values)
    slant, reach = stats.skew(values) / np.sqrt(60), stats.t.ppf(0.975, 59)

    def off(distance, wanted):
        return distance + slant * (distance**2 / 3 + 1 / 6) + slant**2 * distance**3 / 27 - wanted

    nearer, further = (optimize.brentq(off, -20, 20, args=(wanted,)) for wanted in (reach, -reach))
    assert nearer < reach < -further
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(values.mean() - further * error)
    assert found.high > high


def test_values_without_skewness_have_the_t_interval():
    half = normal(15)
    values = np.concatenate([half, 6 - half])
    found = estimate(values)
    slack = 0.02 * (found.high - found.low)  # Hall's 1 / 6, with no skewness to multiply
    assert (found.low, found.high) == pytest.approx(t_interval(values), abs=slack)


@pytest.mark.parametrize("value", [0.0, -2.5, 0.1])
def test_constant_values_have_no_width(value):
    found = estimate(np.full(7, value))
    assert (found.low, found.high) == pytest.approx((found.mean, found.mean))
    assert found.mean == pytest.approx(value)


def test_one_image_has_no_interval():
    found = estimate(np.array([5.0]))
    assert found.mean == 5
    assert np.isnan([found.low, found.high]).all()
    assert not found.excludes_zero


def test_two_images_have_student_s_interval():
    found = estimate(np.array([1.0, 2.0]))
    assert found.mean == 1.5
    assert (found.low, found.high) == pytest.approx((1.5 - 12.706 / 2, 1.5 + 12.706 / 2), rel=1e-4)


def test_a_mirror_swaps_the_bounds():
    values = np.random.default_rng(0).gamma(2, size=30)
    found, mirrored = estimate(values), estimate(-values)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_shift_and_scale_go_through():
    values = normal(40)
    found, moved = estimate(values), estimate(10 * values + 7)
    assert (moved.mean, moved.low, moved.high) == pytest.approx(
        (10 * found.mean + 7, 10 * found.low + 7, 10 * found.high + 7)
    )


def test_four_times_the_images_halve_the_interval():
    few, many = (estimate(normal(count)) for count in (50, 200))
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 2, True), (-2, -0.1, True), (-1, 1, False), (0.0, 1, False), (-1, 0.0, False)]
)
def test_excludes_zero(low, high, expected):
    assert Estimate(0.5, low, high).excludes_zero is expected


def test_reads_as_mean_and_interval():
    assert str(Estimate(1.23456, -0.5, 12345.0)) == "1.23 [-0.5, 1.23e+04]"


class TestCurve:
    def test_shapes_and_means(self):
        values = np.random.default_rng(0).normal(size=(12, 5))
        mean, low, high = estimate_curve(values)
        assert mean.shape == low.shape == high.shape == (5,)
        np.testing.assert_allclose(mean, values.mean(axis=0))
        assert (low < mean).all()
        assert (mean < high).all()

    def test_near_the_t_interval(self):
        values = normal(300).reshape(100, 3)
        _, low, high = estimate_curve(values)
        expected = np.array([t_interval(column) for column in values.T])
        width = np.diff(expected)[:, 0]
        assert (np.abs(low - expected[:, 0]) < 0.1 * width).all()
        assert (np.abs(high - expected[:, 1]) < 0.1 * width).all()

    def test_the_untouched_image_has_no_width(self):
        values = np.random.default_rng(0).normal(size=(12, 4))
        values[:, 0] = 0
        _, low, high = estimate_curve(values)
        assert low[0] == high[0] == 0

    def test_one_image_has_no_interval(self):
        mean, low, high = estimate_curve(np.array([[1.0, 2.0]]))
        assert mean.tolist() == [1, 2]
        assert np.isnan(low).all()
        assert np.isnan(high).all()

    def test_a_column_is_an_estimate(self):
        values = np.random.default_rng(0).gamma(2, size=(12, 5))
        for column, (mean, low, high) in zip(values.T, np.stack(estimate_curve(values), axis=1), strict=True):
            found = estimate(column)
            assert (mean, low, high) == pytest.approx((found.mean, found.low, found.high), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_differ_by_rounding_only(dtype):
    """As the drops of a network that ignores the image, or the difference of a method with itself, do."""
    values = np.array([1, 1, 1, 1 + np.finfo(dtype).eps], dtype=dtype)
    found = estimate(values)
    assert found.low == pytest.approx(1)
    assert found.high == pytest.approx(1)


@pytest.mark.parametrize("values", [[1.0, np.nan, 3.0], [1.0, np.inf, 3.0], []])
def test_values_that_are_not_finite(values):
    with pytest.raises(ValueError, match="values must"):
        estimate(np.array(values))


def test_a_single_image_has_no_interval_in_text():
    """Not [nan, nan]."""
    assert str(estimate(np.array([0.5]))) == "0.5 (no interval)"
    assert str(estimate(np.array([0.5, 0.5]))) == "0.5 [0.5, 0.5]"
