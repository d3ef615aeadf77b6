"""One place in image after image: found where it is, not in the middle, and rarely by chance."""

import numpy as np
import pytest
from scipy import stats

from heatproof.measures.recurrence import recurring_place


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_a_mark_that_does_not_fit_the_grid_is_one_place(rng):
    around = np.array([0, 1, 8, 9])  # the four regions at the top left of 8 × 8
    first = np.concatenate([rng.choice(around, 70), rng.integers(64, size=30)])
    place = recurring_place(first, 8, 8)
    assert place.recurs
    assert place.where == "at the top left"
    assert place.share == np.isin(first, around).mean() == place.inside.mean()


@pytest.mark.parametrize(
    ("row", "column", "where"),
    [
        (0, 0, "at the top left"), (0, 5, "at the top"), (0, 15, "at the top right"), (6, 0, "on the left"),
        (6, 15, "on the right"), (11, 0, "at the bottom left"), (11, 8, "at the bottom"),
        (11, 15, "at the bottom right"),
    ],
)  # fmt: skip
def test_places_have_names(row, column, where):
    """A grid of 12 rows and 16 columns, of which places have 3 and 4."""
    place = recurring_place(np.full(20, 16 * row + column), 12, 16)
    assert (place.share, place.where, place.recurs) == (1.0, where, True)


def test_the_middle_is_no_place():
    """All of the middle half of an 8 × 8 grid."""
    middle = np.add.outer(8 * np.arange(2, 6), np.arange(2, 6)).ravel()
    place = recurring_place(np.tile(middle, 5), 8, 8)
    assert place.share == 0
    assert not place.recurs


def test_p_is_the_binomial_tail_times_the_number_of_places():
    """Of 8 × 8 regions there are 7 × 7 windows of four, 24 of which do not overlap the middle half."""
    first = np.concatenate([np.zeros(3, dtype=int), np.full(5, 27)])
    place = recurring_place(first, 8, 8)
    assert place.share == 3 / 8
    assert place.p == pytest.approx(24 * stats.binom.sf(2, 8, 4 / 64))
    assert recurring_place(np.array([27, 28, 35]), 8, 8).p == 1


def test_half_of_the_images_are_no_majority():
    assert not recurring_place(np.repeat([0, 27], 50), 8, 8).recurs
    assert recurring_place(np.repeat([0, 27], [51, 49]), 8, 8).recurs


def test_two_images_are_too_few():
    assert not recurring_place(np.zeros(2, dtype=int), 8, 8).recurs  # p = 24 / 256
    assert recurring_place(np.zeros(3, dtype=int), 8, 8).recurs


def test_chance_finds_a_place_rarely(rng):
    """Regions drawn at random, few images: the corrected level holds."""
    warned = [recurring_place(rng.integers(64, size=4), 8, 8).recurs for _ in range(2000)]
    assert np.mean(warned) < 0.05


@pytest.mark.parametrize("shape", [(7, 8), (8, 7), (1, 100)])
def test_grids_that_are_too_coarse_are_not_asked(shape):
    assert recurring_place(np.zeros(9, dtype=int), *shape) is None
