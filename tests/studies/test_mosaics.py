"""Mosaics: who lies where is drawn at addresses, and tiles are photographs, scaled down."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

import heatproof as hp
from heatproof.studies.planting.mosaics import drawn_mosaics, tile_boxes
from heatproof.studies.planting.source import assembled


def identities(count):
    return [f"photograph {number}" for number in range(count)]


def most(classes, tiles):
    """The largest m of mosaics for which the classes have enough photographs, of each at most m."""
    counts = Counter(classes).values()
    return max(m for m in range(len(classes) + 1) if sum(min(count, m) for count in counts) >= m * tiles)


@pytest.mark.parametrize("grid", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_classes_of_a_mosaic_differ_and_there_are_as_many_mosaics_as_can_be(grid, seed):
    classes = (np.random.default_rng(seed).geometric(0.12, 60) % 20).tolist()
    found = drawn_mosaics(identities(60), classes, grid=grid, seed=seed)
    assert found.shape == (most(classes, grid**2), grid**2)
    assert len(np.unique(found)) == found.size
    assert all(len({classes[number] for number in mosaic}) == grid**2 for mosaic in found)


def test_nothing_depends_on_the_order_of_photographs():
    names, classes = identities(40), [number % 7 for number in range(40)]
    order = np.random.default_rng(0).permutation(40).tolist()
    found = drawn_mosaics(names, classes, grid=2, seed=1)
    other = drawn_mosaics([names[i] for i in order], [classes[i] for i in order], grid=2, seed=1)
    np.testing.assert_array_equal(np.array(order)[other], found)
    assert not np.array_equal(drawn_mosaics(names, classes, grid=2, seed=2), found)


def test_every_photograph_may_come_into_every_tile():
    tiles = Counter(
        int(np.argwhere(drawn_mosaics(identities(4), range(4), grid=2, seed=seed)[0] == 0)[0, 0]) for seed in range(400)
    )
    assert set(tiles) == {0, 1, 2, 3}
    assert max(abs(count - 100) for count in tiles.values()) < 40  # 4.6 standard deviations


def test_too_few_classes():
    with pytest.raises(
        hp.InputError, match=r"a mosaic of 2 × 2 needs photographs of 4 classes, got 5 photographs of 3"
    ):
        drawn_mosaics(identities(5), [0, 1, 2, 2, 2], grid=2, seed=0)
    with pytest.raises(hp.InputError, match=r"of 9 classes, got 5 photographs of 5; .*, or grid=2"):
        drawn_mosaics(identities(5), range(5), grid=3, seed=0)


@pytest.mark.parametrize(("height", "width", "grid"), [(6, 8, 2), (7, 5, 2), (9, 9, 3), (11, 10, 3), (23, 24, 5)])
def test_tiles_are_rectangles_that_differ_by_a_pixel_and_cover_all(height, width, grid):
    covered = np.zeros((height, width), dtype=int)
    sides = []
    for top, left, bottom, right in tile_boxes(height, width, grid):
        covered[top:bottom, left:right] += 1
        sides.append((bottom - top, right - left))
    assert len(sides) == grid**2
    np.testing.assert_array_equal(covered, 1)
    assert np.ptp(sides, axis=0).max() <= 1


def tiles_of(images, side, grid):
    return dict(zip(tile_boxes(side, side, grid), images, strict=True))


@pytest.mark.parametrize(("side", "grid", "scale"), [(16, 2, 1), (21, 2, 1), (22, 3, 1), (16, 3, 2)])
def test_a_tile_is_its_photograph_as_pillow_scales_it_down(side, grid, scale):
    images = torch.from_numpy(np.random.default_rng(0).random((grid**2, 3, side, side), dtype=np.float32))
    mosaic = assembled(tiles_of(images, scale * side, grid), (scale * side, scale * side)).numpy()
    for (top, left, bottom, right), image in tiles_of(images, scale * side, grid).items():
        for channel, plane in zip(mosaic, image.numpy(), strict=True):
            size = (right - left, bottom - top)
            expected = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
            np.testing.assert_allclose(channel[top:bottom, left:right], expected, atol=1e-5)


def test_at_twice_its_size_a_photograph_of_four_stays_as_it_is():
    images = torch.from_numpy(np.random.default_rng(0).random((4, 3, 16, 16), dtype=np.float32))
    mosaic = assembled(tiles_of(images, 32, 2), (32, 32))
    assert torch.equal(mosaic[:, 16:, :16], images[2])


def test_fine_patterns_become_grey():
    board = torch.from_numpy((np.indices((32, 32)).sum(axis=0) % 2).astype(np.float32)).expand(4, 1, 32, 32)
    mosaic = assembled(tiles_of(board, 32, 2), (32, 32))
    torch.testing.assert_close(mosaic[:, 1:15, 1:15], torch.full((1, 14, 14), 0.5), atol=1e-6, rtol=0)


def test_images_that_cannot_be_cut():
    with pytest.raises(hp.InputError, match="images must have at least 3 pixels on each side, got 2 × 9"):
        tile_boxes(2, 9, 3)
