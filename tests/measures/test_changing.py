"""How much heatmaps change: closed forms, the plain loop, and what must not matter."""

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

import heatproof as hp
from heatproof.measures.changing import rank_agreement, relative_change

RANDOM = np.random.default_rng(0)
MAPS, OTHERS = RANDOM.standard_normal((2, 7, 8, 9))


def test_both_are_those_of_a_plain_loop():
    for one, other, change, agreement in zip(
        MAPS, OTHERS, relative_change(MAPS, OTHERS), rank_agreement(MAPS, OTHERS), strict=True
    ):
        first, second = one / np.linalg.norm(one.ravel(), 1), other / np.linalg.norm(other.ravel(), 1)
        assert change == pytest.approx(np.linalg.norm((second - first).ravel(), 1) / np.linalg.norm(first.ravel(), 1))
        assert agreement == pytest.approx(scipy.stats.spearmanr(one.ravel(), other.ravel()).statistic)


@given(st.floats(1e-30, 1e30))
def test_a_positive_factor_is_no_change(factor):
    np.testing.assert_allclose(relative_change(MAPS, factor * MAPS), 0, atol=1e-9)
    np.testing.assert_allclose(rank_agreement(MAPS, factor * MAPS), 1)


def test_the_opposite_changes_most():
    np.testing.assert_allclose(relative_change(MAPS, -MAPS), 2)
    np.testing.assert_allclose(rank_agreement(MAPS, -MAPS), -1)


def test_noise_against_noise_has_the_change_of_two_normals():
    """E|a − b| / E|a| = √2 for independent standard normals."""
    first, second = np.random.default_rng(1).standard_normal((2, 1, 500, 500))
    assert relative_change(first, second)[0] == pytest.approx(np.sqrt(2), abs=0.01)
    assert rank_agreement(first, second)[0] == pytest.approx(0, abs=0.01)


def test_a_map_without_relevance_has_no_change():
    zeros = np.zeros((7, 8, 9))
    assert np.isnan(relative_change(zeros, MAPS)).all()
    np.testing.assert_allclose(relative_change(MAPS, zeros), 1)


def test_constant_maps_agree_with_each_other_alone():
    constant = np.full((7, 8, 9), 3.0)
    np.testing.assert_array_equal(rank_agreement(constant, 2 * constant), np.ones(7))
    np.testing.assert_array_equal(rank_agreement(constant, MAPS), np.zeros(7))
    np.testing.assert_array_equal(rank_agreement(MAPS, constant), np.zeros(7))


@pytest.mark.parametrize("measure", [relative_change, rank_agreement])
def test_what_is_refused(measure):
    with pytest.raises(hp.InputError, match=r"heatmaps must be \(N, H, W\), twice of one shape, got \(7, 8, 9\) and"):
        measure(MAPS, OTHERS[:3])
    with pytest.raises(hp.InputError, match="heatmaps must be finite numbers, got NaN or infinity"):
        measure(MAPS, OTHERS * np.inf)
