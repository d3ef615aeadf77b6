import numpy as np
import pytest
from scipy import stats

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


def test_skewed_data_get_a_skewed_interval():
    """What BCa is for: the long tail moves both bounds to its side of the symmetric interval."""
    values = np.random.default_rng(0).exponential(size=60)
    found, (low, high) = estimate(values), t_interval(values)
    assert found.low > low
    assert found.high > high
    assert found.high - found.mean > 1.1 * (found.mean - found.low)


@pytest.mark.parametrize("value", [0.0, -2.5, 0.1])
def test_constant_values_have_no_width(value):
    found = estimate(np.full(7, value))
    assert (found.low, found.high) == (found.mean, found.mean)
    assert found.mean == pytest.approx(value)


def test_one_image_has_no_interval():
    found = estimate(np.array([5.0]))
    assert found.mean == 5
    assert np.isnan([found.low, found.high]).all()
    assert not found.excludes_zero


def test_two_images_have_one():
    found = estimate(np.array([1.0, 2.0]))
    assert 1 <= found.low < found.mean == 1.5 < found.high <= 2


def test_the_seed_decides():
    values = normal(30)
    assert estimate(values, seed=4) == estimate(values, seed=4)
    assert estimate(values, seed=4) != estimate(values, seed=5)
    assert estimate(values) == estimate(values, seed=0)


def test_global_random_state_neither_counts_nor_moves():
    values, before = normal(30), np.random.get_state()[1].copy()  # noqa: NPY002
    expected = estimate(values)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(99)  # noqa: NPY002
        assert estimate(values) == expected
    finally:
        np.random.set_state(state)  # noqa: NPY002


def test_shift_and_scale_go_through():
    values = normal(40)
    found, moved = estimate(values), estimate(10 * values + 7)
    assert (moved.mean, moved.low, moved.high) == pytest.approx(
        (10 * found.mean + 7, 10 * found.low + 7, 10 * found.high + 7)
    )


def test_four_times_the_images_halve_the_interval():
    few, many = (estimate(normal(count)) for count in (50, 200))
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(("make", "truth"), [(normal, 3.0), (lambda n, seed: normal(n, seed=seed) ** 2, 13.0)])
def test_covers_the_truth_in_95_of_100_cases(make, truth):
    """200 replications with 30 images: a bootstrap of that size is known to fall a little short, not far."""
    found = [estimate(make(30, seed=seed)) for seed in range(200)]
    coverage = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.89 <= coverage <= 0.985, coverage


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

    def test_the_seed_decides(self):
        values = np.random.default_rng(0).normal(size=(12, 5))
        np.testing.assert_array_equal(estimate_curve(values, seed=1), estimate_curve(values, seed=1))
        assert not np.array_equal(estimate_curve(values, seed=1), estimate_curve(values, seed=2))

    def test_a_column_does_not_depend_on_the_others(self):
        """The same images are drawn for all steps, so a curve over fewer steps is a part of the longer one."""
        values = np.random.default_rng(0).normal(size=(12, 5))
        np.testing.assert_allclose(np.stack(estimate_curve(values))[:, :3], np.stack(estimate_curve(values[:, :3])))

    def test_long_curves_are_drawn_in_pieces(self):
        """Beyond 2²⁴ values the resamples are made in pieces, with the same interval."""
        values = np.random.default_rng(0).normal(size=(200, 60))
        np.testing.assert_allclose(
            np.stack(estimate_curve(values))[:, :2], np.stack(estimate_curve(values[:, :2])), rtol=1e-12
        )


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
