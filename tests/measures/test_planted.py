"""Shares of positive relevance and the pointing game: closed forms, slow loops, and what must not change them."""

import numpy as np
import pytest
from tests.reference import planted_loop

from heatproof.errors import InputError
from heatproof.measures.planted import pointing_game, positive_share

MEASURES = [positive_share, pointing_game]
TILES = np.arange(6).repeat(7) // 2  # three tiles of 14 pixels
TILES = TILES.reshape(6, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_mask_gets_1_its_reverse_0_and_a_constant_map_chance(measure):
    inside = TILES == 1
    np.testing.assert_array_equal(measure(np.stack([inside, ~inside]).astype(float), inside), [1, 0])
    np.testing.assert_allclose(
        measure(np.stack([np.full(TILES.shape, value) for value in (3.0, 1e300)]), inside), 1 / 3
    )


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", ["noise", "ties", "negative", "zero"])
def test_agrees_with_the_loop(measure, kind, rng):
    maps = rng.standard_normal((5, 6, 7))
    maps = {"noise": maps, "ties": maps.round(), "negative": -np.abs(maps), "zero": 0 * maps}[kind]
    inside = rng.random((5, 6, 7)) < 0.4
    slow = getattr(planted_loop, measure.__name__)
    expected = [slow(*both) for both in zip(maps.tolist(), inside.tolist(), strict=True)]
    np.testing.assert_allclose(measure(maps, inside), expected, rtol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_shares_of_all_tiles_are_1_together_and_other_names_of_tiles_permute_them(measure, rng):
    maps, other = rng.standard_normal((4, 6, 7)), np.array([2, 0, 1])
    shares = np.stack([measure(maps, tile == TILES) for tile in range(3)])
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    np.testing.assert_array_equal(np.stack([measure(maps, other[TILES] == tile) for tile in other]), shares)


def test_without_positive_relevance_the_share_is_chance():
    maps = np.stack([np.full(TILES.shape, -1.0), np.zeros(TILES.shape), -(TILES == 2).astype(float)])
    np.testing.assert_allclose(positive_share(maps, TILES == 2), 1 / 3)
    np.testing.assert_allclose(pointing_game(maps, TILES == 2), [1 / 3, 1 / 3, 0])


@pytest.mark.parametrize("measure", MEASURES)
def test_scale_and_pixels_elsewhere_in_the_tile_change_nothing(measure, rng):
    maps, inside = rng.standard_normal((3, 6, 7)), TILES == 0
    moved = maps.copy()
    moved[:, inside] = rng.permuted(maps[:, inside], axis=1)
    np.testing.assert_allclose(measure(moved, inside), measure(maps, inside))
    np.testing.assert_allclose(measure(1e307 * maps / np.abs(maps).max(), inside), measure(maps, inside))
    assert positive_share(np.full((1, 6, 7), 1e-320), inside) == pytest.approx(1 / 3)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_refused(measure):
    for maps in (np.zeros((2, 3)), np.zeros((0, 2, 3)), np.full((1, 2, 3), np.nan)):
        with pytest.raises(InputError, match=r"heatmaps must be finite and have shape \(N, H, W\)"):
            measure(maps, np.ones((2, 3), bool))
    for inside in (np.ones((2, 3)), np.ones((3, 2), bool), np.ones((2, 2, 3), bool)):
        with pytest.raises(InputError, match=r"inside must be true or false for each pixel of heatmaps \(1, 2, 3\)"):
            measure(np.zeros((1, 2, 3)), inside)
