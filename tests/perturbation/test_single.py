"""Single regions and subsets of regions: the slow loop, engines, batches, and superpixels that differ in number."""

import numpy as np
import pytest
import torch

from heatproof import InputError, perturb
from heatproof.perturbation import subsets
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.replacing import replacement_images
from heatproof.perturbation.subsets import passed_through, removals, single_region_drops, single_region_evaluations


@pytest.fixture
def two_maps():
    """(2, 18, 18) maps of 4 and of 6 regions."""
    four, six = torch.zeros(2, 18, 18, dtype=torch.int64)
    four[9:] = 2
    four[:, 9:] += 1
    six[9:] = 3
    six[:, 6:12] += 1
    six[:, 12:] += 2
    return torch.stack([four, six])


@pytest.mark.parametrize("score", ["logit", "probability", "margin"])
def test_single_drops_equal_the_slow_loop(convolutional, pictures, two_maps, loop, score):
    images, network = pictures(2, dtype=torch.float64), convolutional()
    curves = perturb(network, images, order="random", regions=two_maps, repeats=2, score=score, engine="full")
    found = single_region_drops(network, images, curves)
    fills = replacement_images(images, curves.protocol, curves.images)
    for image, count in enumerate((4, 6)):
        assert found[image].shape == (2, count)
        for repeat in range(2):
            for region in range(count):
                begin, end = loop.curve(
                    network.module,
                    images[image],
                    int(curves.targets[image]),
                    fills[image, repeat],
                    two_maps[image].tolist(),
                    [region],
                    score,
                ).tolist()
                assert found[image][repeat, region] == pytest.approx(begin - end, abs=1e-4)


@pytest.mark.parametrize("replacement", ["uniform", "blur", "road", "constant"])
def test_subsets_are_the_images_that_orders_pass_through(convolutional, pictures, two_maps, replacement):
    """Along an order, scores of subsets are the scores of the curves."""
    images = pictures(2, dtype=torch.float64)
    curves = perturb(
        convolutional(), images, order="random", regions=two_maps, replacement=replacement, repeats=2, engine="full"
    )
    for image, removal in enumerate(removals(images, curves)):
        for repeat in range(2):
            subsets = passed_through(curves.orders[image, repeat], removal.count)
            scores = removal.scores(convolutional(), subsets, repeat, lambda evaluations: None)
            torch.testing.assert_close(scores, curves.scores[image, repeat].double(), rtol=0, atol=1e-5)


def test_subsets_equal_removal_pixel_by_pixel(pictures, two_maps, convolutional, loop):
    images = pictures(2, dtype=torch.float64)
    two_maps[:, 0] = -1
    curves = perturb(convolutional(), images, order="random", regions=two_maps, repeats=1, engine="full")
    fills = replacement_images(images, curves.protocol, curves.images)
    for image, removal in enumerate(removals(images, curves)):
        expected = images[image]
        for region in (1, 3):
            expected = loop.remove(expected, fills[image, 0], two_maps[image].tolist(), region)
        subset = torch.zeros(1, removal.count, dtype=torch.bool)
        subset[0, [1, 3]] = True
        assert torch.equal(removal.without(subset, 0)[0], expected)


def test_engines_agree(convolutional, pictures):
    images = pictures(3, dtype=torch.float64)
    found = [
        single_region_drops(
            convolutional(), images, perturb(convolutional(), images, order="random", repeats=2, engine=engine)
        )
        for engine in ("full", "incremental")
    ]
    for full, incremental in zip(*found, strict=True):
        np.testing.assert_allclose(full, incremental, rtol=0, atol=1e-4)


def test_drops_do_not_depend_on_order_steps_sampling_or_how_many_go_at_once(convolutional, pictures, monkeypatch):
    images, network = pictures(3, dtype=torch.float64), convolutional()
    heat = images.sum(dim=1)
    given = {"regions": 3, "repeats": 2, "engine": "full"}
    expected = single_region_drops(network, images, perturb(network, images, order="random", **given))
    other = perturb(network, images.flip(0), heat.flip(0), steps=20, scored=4, **given)
    monkeypatch.setattr(subsets, "AT_ONCE", 7)
    for one, same in zip(expected, single_region_drops(network, images.flip(0), other)[::-1], strict=True):
        np.testing.assert_allclose(one, same, rtol=0, atol=1e-5)


def test_as_many_evaluations_as_planned(convolutional, pictures, monkeypatch):
    images, network = pictures(3, dtype=torch.float64), convolutional()
    curves = perturb(network, images, order="random", regions=6, repeats=2, engine="full")
    for at_once, each in ((500, 19), (4, 21)):
        monkeypatch.setattr(subsets, "AT_ONCE", at_once)
        told = []
        single_region_drops(network, images, curves, on_progress=told.append)
        assert sum(told) == 3 * single_region_evaluations(9, 2) == 3 * each


def test_linear_network_drops_each_regions_contribution(linear, pictures):
    images = pictures(2, dtype=torch.float64)
    weight = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 18, 18)))
    curves = perturb(linear(weight), images, order="random", replacement="black", repeats=1, engine="full")
    regions = as_regions(9, images)
    for image, drops in enumerate(single_region_drops(linear(weight), images, curves)):
        for region in range(4):
            expected = float((weight[0] * images[image])[:, regions[image] == region].sum())
            assert drops[0, region] == pytest.approx(expected, abs=1e-4)


def test_images_that_are_not_those_of_the_curves(convolutional, pictures):
    images = pictures(2, dtype=torch.float64)
    curves = perturb(convolutional(), images, order="random", repeats=1, engine="full")
    with pytest.raises(InputError, match="images must be the 2 images of the curves, got 1"):
        single_region_drops(convolutional(), images[:1], curves)
