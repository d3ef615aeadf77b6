"""Regions by name: grids, pixels, superpixels."""

import sys

import pytest
import torch

from heatproof import InputError, compare, perturb
from heatproof.perturbation.regions import REGIONS, as_regions, grid


@pytest.fixture
def halves():
    """Two images, each of two colours: left and right, above and below."""
    images = torch.zeros(2, 3, 24, 36)
    images[0, 0, :, 18:] = 1
    images[1, 2, 12:] = 1
    return images


@pytest.mark.parametrize("name", REGIONS)
class TestRegionsByName:
    def test_are_maps_without_gaps(self, pictures, name):
        maps = as_regions(name, pictures(3, 20, 31))
        assert maps.shape == (3, 20, 31)
        for found in maps:
            present = found.unique()
            assert torch.equal(present[present >= 0], torch.arange(int(found.max()) + 1))

    def test_do_not_depend_on_the_batch(self, pictures, name):
        images = pictures(3, 20, 31)
        alone = torch.cat([as_regions(name, image[None]) for image in images])
        assert torch.equal(as_regions(name, images), alone)
        assert torch.equal(as_regions(name, images), as_regions(name, images))


@pytest.mark.parametrize(("spec", "size"), [("9", 9), ("grid", 9), ("grid[size=4]", 4), ("pixels", 1), ("1", 1)])
def test_squares_by_name(pictures, spec, size):
    assert torch.equal(as_regions(spec, pictures(2, 20, 31)), grid(20, 31, size).expand(2, 20, 31))


@pytest.mark.parametrize("spec", ["pixels", 1])
def test_pixels_go_one_by_one(convolutional, pictures, heats, spec):
    curves = perturb(convolutional(), pictures(1), heats(1), regions=spec, steps=5, repeats=1)
    torch.testing.assert_close(curves.removed_fraction[0, 0], torch.arange(6).double() / 324)
    best = heats(1).flatten().argsort(descending=True)[:5]
    assert torch.equal(curves.orders[0, 0], best)


def test_superpixels_follow_the_picture(halves):
    left_right, above_below = as_regions("slic[segments=8]", halves)
    assert not set(left_right[:, :18].unique().tolist()) & set(left_right[:, 18:].unique().tolist())
    assert not set(above_below[:12].unique().tolist()) & set(above_below[12:].unique().tolist())
    assert 4 <= int(left_right.max()) + 1 <= 12


def test_superpixels_of_one_channel():
    image = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    assert as_regions("slic[segments=9,compactness=0.1]", image).shape == (1, 24, 24)


@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_superpixels_are_removed_whole(convolutional, halves, engine):
    network, heatmaps = convolutional(torch.float32), halves.sum(dim=1)
    maps = as_regions("slic[segments=8]", halves)
    named, given = (
        perturb(network, halves, heatmaps, regions=regions, repeats=1, engine=engine)
        for regions in ("slic[segments=8]", maps)
    )
    assert torch.equal(named.orders, given.orders)
    assert torch.equal(named.scores, given.scores)
    assert named.protocol.regions == "slic[segments=8]"
    first = (maps[0] == named.orders[0, 0, 0]).double().mean()
    assert float(named.removed_fraction[0, 0, 1]) == pytest.approx(float(first))


def test_compare_takes_them_by_name(convolutional, halves):
    study = compare(
        convolutional(torch.float32), halves, ["sensitivity-l2"], regions="slic[segments=8]", protocol="samek2017"
    )
    assert study.describe()["protocol"]["regions"] == "slic[segments=8]"
    assert study.protocol.regions == "slic[segments=8]"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("slick", "unknown regions 'slick'; did you mean 'slic'[?] known: grid, pixels, relative-grid, slic"),
        ("slic[segment=3]", "unknown option of regions 'slic': 'segment'; did you mean 'segments'"),
        ("slic[segments=0]", "segments must be a whole number from 1 to 100,000, got 0"),
        ("slic[compactness=0]", "compactness must be a number from 0.001 to 1e[+]06, got 0"),
        ("99", "regions must be between 1 and 18 pixels wide here, got 99"),
    ],
)
def test_regions_that_cannot_be(convolutional, pictures, heats, spec, message):
    with pytest.raises(InputError, match=message):
        perturb(convolutional(), pictures(1), heats(1), regions=spec)


def test_without_scikit_image_it_says_what_to_install(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match=r'not installed: pip install "heatproof\[superpixels\]"'):
        as_regions("slic", pictures(1))
