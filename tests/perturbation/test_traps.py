"""One test for each trap that existing implementations fall into and that is in reach of region perturbation.

Each was seen to fail with its trap put back into the source.
"""

import random

import numpy as np
import pytest
import torch

from heatproof import Network, aopc, aopc_curve, perturb
from heatproof.perturbation import Protocol
from heatproof.perturbation.replacing import replacement_images
from heatproof.randomness import identify

FIRST = torch.tensor([0])


def test_one_random_number_per_patch_instead_of_per_pixel(recording, pictures, heats):
    """Catches one draw per patch, per pixel for all channels, or per image: all 9·9·3 values of a patch differ."""
    network, images = recording(), pictures(1)
    perturb(network, images, heats(1), steps=1, repeats=1, targets=FIRST, engine="full")
    patch = network.seen[1][:, (network.seen[1] != images[0]).any(dim=0)]
    assert patch.shape == (3, 81)
    assert len(patch.unique()) > 240  # float32 has 2^24 values in [0, 1): equal ones are rare
    assert bool((patch.std(dim=1) > 0.2).all())


def test_softmax_where_the_score_is_the_logit(linear, pictures, heats):
    """Catches a default score that other classes have a say in: only the target's weights may count."""
    weight = torch.randn(3, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    others = torch.cat([weight[:1], 5 - weight[1:]])
    targets = torch.zeros(2, dtype=torch.int64)
    one, other = (perturb(linear(w), pictures(2), heats(2), targets=targets, repeats=2) for w in (weight, others))
    expected = (weight[0] * pictures(2)).sum(dim=(1, 2, 3))
    torch.testing.assert_close(one.scores[:, 0, 0], expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(one.scores, other.scores, rtol=1e-4, atol=1e-3)
    assert float(one.scores.std()) > 1


class TestTheStepsThatAreCounted:
    def test_the_k_0_term_is_left_out(self, linear, pictures, zeros):
        """Catches curves without the untouched image, and sums divided by L: one region of worth c gives c/2."""
        weight = torch.zeros(1, 3, 18, 18)
        weight[:, :, :9, :9] = 1
        images = pictures(2)
        heatmaps = (weight * images).sum(dim=1)
        curves = perturb(linear(weight), images, heatmaps, steps=1, repeats=1, replacement=zeros)
        worth = images[:, :, :9, :9].sum(dim=(1, 2, 3))
        assert curves.scores.shape == (2, 1, 2)
        torch.testing.assert_close(curves.scores[:, 0, 0], worth, rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(aopc(curves), worth / 2, rtol=1e-5, atol=1e-4)

    def test_one_over_l_plus_1_is_left_out(self, linear, pictures, zeros):
        """Catches sums instead of means: removing all at the first step gives c·L/(L + 1), below c."""
        weight = torch.zeros(1, 3, 18, 18)
        weight[:, :, :9, :9] = 1
        images = pictures(2)
        curves = perturb(linear(weight), images, (weight * images).sum(dim=1), steps=4, repeats=1, replacement=zeros)
        worth = images[:, :, :9, :9].sum(dim=(1, 2, 3), keepdim=True)[..., 0, 0]
        expected = worth * torch.tensor([0, 1 / 2, 2 / 3, 3 / 4, 4 / 5])
        torch.testing.assert_close(aopc_curve(curves), expected, rtol=1e-5, atol=1e-4)


def test_lower_is_better_declared_for_aopc(linear, pictures):
    """Catches a sign: the true contributions must come out above the random order, that above their opposite."""
    weight = torch.randn(1, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    weight = weight + 3 * torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(1)).repeat_interleave(
        3, dim=2
    ).repeat_interleave(3, dim=3)
    images = pictures(3)
    contributions = (weight * (images - 0.5)).sum(dim=1)  # what uniform noise takes away in the mean
    options = {"regions": 3, "repeats": 2}
    good = aopc(perturb(linear(weight), images, contributions, **options))
    by_chance = aopc(perturb(linear(weight), images, order="random", **options))
    bad = aopc(perturb(linear(weight), images, -contributions, **options))
    least_first = aopc(perturb(linear(weight), images, contributions, order="lerf", **options))
    assert bool((good > by_chance + 1).all())
    assert bool((by_chance > bad + 1).all())
    assert bool((good - least_first > 2).all())  # ABPC
    assert "higher is better" in aopc.__doc__


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_channels_of_one_pixel_perturbed_at_different_steps(recording, pictures, heats, order):
    """Catches replacements of single channel values: a pixel keeps all three channels or loses all three."""
    network, images = recording(), pictures(1)
    perturb(network, images, heats(1), order=order, regions=2, steps=6, repeats=1, targets=FIRST, engine="full")
    changed = network.seen != images
    assert torch.equal(changed.all(dim=1), changed.any(dim=1))
    assert changed[:, 0].sum(dim=(1, 2)).tolist() == [4 * k for k in range(7)]


class TestTiesBrokenByPosition:
    """Catches stable or unstable sorts of equal values, and one shuffle for all images."""

    IMAGES = 320
    REGIONS = 16

    @pytest.fixture
    def images(self, pictures):
        return pictures(self.IMAGES, 8, 8)

    @pytest.fixture
    def network(self, linear):
        weight = torch.zeros(1, 3, 8, 8)
        weight[:, :, :2, :2] = 1  # all that counts is in region 0, the first by position
        return linear(weight)

    @pytest.mark.parametrize("order", ["morf", "lerf"])
    def test_constant_heatmap_ranks_every_region_alike(self, network, images, order):
        flat = torch.full((self.IMAGES, 8, 8), 0.1)
        curves = perturb(network, images, flat, order=order, regions=2, repeats=1)
        ranks = curves.orders[:, 0].argsort(dim=1).double()  # (N, R) step at which each region goes
        spread = ((self.REGIONS**2 - 1) / 12 / self.IMAGES) ** 0.5
        assert float((ranks.mean(dim=0) - 7.5).abs().max()) < 4 * spread
        counts = torch.bincount(curves.orders[:, 0, 0], minlength=self.REGIONS)
        expected = self.IMAGES / self.REGIONS
        assert float(((counts - expected) ** 2 / expected).sum()) < 37.7  # χ² with 15 degrees, 99.9 %

    def test_constant_heatmap_scores_like_the_random_order(self, network, images):
        options = {"regions": 2, "repeats": 1}
        found = aopc(perturb(network, images, torch.zeros(self.IMAGES, 8, 8), **options))
        by_chance = aopc(perturb(network, images, order="random", **options))
        difference = (found - by_chance).double()
        assert float(by_chance.std()) > 0.1
        assert abs(float(difference.mean())) < 4 * float(difference.std()) / self.IMAGES**0.5

    def test_tied_rest_of_a_relu_d_map_is_shuffled(self, network, images):
        """Half of the regions are positive and go first; the zero ones follow in no order of their own."""
        maps = torch.zeros(self.IMAGES, 8, 8)
        maps[:, 4:] = torch.arange(1, 33).reshape(4, 8)
        curves = perturb(network, images, maps, regions=2, repeats=1)
        assert bool((curves.orders[:, 0, :8] >= 8).all())
        ranks = curves.orders[:, 0, 8:].argsort(dim=1).double()
        assert float((ranks.mean(dim=0) - 3.5).abs().max()) < 4 * (63 / 12 / self.IMAGES) ** 0.5


def test_lerf_one_step_behind_morf(recording, linear, pictures, zeros):
    """Catches a LeRF whose step k has k − 1 regions removed, or that starts at the region before the last."""
    images = pictures(1)
    relevance = torch.arange(1.0, 10).reshape(3, 3)
    heatmaps = relevance.repeat_interleave(6, dim=0).repeat_interleave(6, dim=1)[None]
    for order, first in (("morf", 8), ("lerf", 0)):
        network = recording()
        curves = perturb(
            network, images, heatmaps, order=order, regions=6, steps=4, repeats=1, targets=FIRST, engine="full"
        )
        assert (network.seen != images).any(dim=1).sum(dim=(1, 2)).tolist() == [36 * k for k in range(5)]
        assert curves.orders[0, 0].tolist() == [abs(first - k) for k in range(4)]
    weight = (relevance == 1).float().repeat_interleave(6, dim=0).repeat_interleave(6, dim=1).expand(1, 3, 18, 18)
    curves = perturb(linear(weight), images, heatmaps, order="lerf", regions=6, steps=4, repeats=1, replacement=zeros)
    torch.testing.assert_close(curves.scores[0, 0, 1:], torch.zeros(4), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(18, 27), (27, 18), (20, 31), (31, 20), (19, 19), (35, 19)])
def test_non_square_or_non_multiple_of_nine_images(recording, pictures, heats, height, width):
    """Catches swapped height and width, and grids that overlap, leave the image, or take in its border."""
    network, images = recording(height, width), pictures(1, height, width)
    heatmaps = torch.zeros(1, height, width)
    rows, columns = height // 9, width // 9
    top, left = (height % 9) // 2, (width % 9) // 2
    heatmaps[:, top : top + 9, left + 9 : left + 18] = 1  # the second region of the first row
    curves = perturb(network, images, heatmaps, repeats=1, targets=FIRST, engine="full")
    assert curves.scores.shape == (1, 1, rows * columns + 1)
    assert int(curves.orders[0, 0, 0]) == 1
    changed = (network.seen[1] != images[0]).any(dim=0)
    assert torch.equal(changed, heatmaps[0] > 0)


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_results_that_change_with_the_batch_size_or_the_order_of_images(
    monkeypatch, convolutional, pictures, heats, order
):
    """Catches draws from one generator for a whole batch, and ties or shuffles addressed by the place in it."""
    network, images, heatmaps = convolutional(), pictures(4), heats(4)
    heatmaps[1] = 0
    expected = perturb(network, images, heatmaps, order=order, regions=6, repeats=3)
    monkeypatch.setattr(Network, "batch_size", lambda *_, **__: 1)
    backwards = perturb(network, images.flip(0), heatmaps.flip(0), order=order, regions=6, repeats=3, memory=1)
    assert torch.equal(backwards.orders.flip(0), expected.orders)
    torch.testing.assert_close(backwards.scores.flip(0), expected.scores, rtol=1e-6, atol=1e-6)
    protocol = Protocol(repeats=3)
    whole = replacement_images(images, protocol, identify(images))
    turned = replacement_images(images.flip(0), protocol, identify(images.flip(0)))
    assert torch.equal(whole, turned.flip(0))


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_global_random_state(convolutional, pictures, order):
    """Catches np.random.*, torch.rand* and random.*: their seeds neither count nor move."""
    found = []
    with torch.random.fork_rng():
        numpy_state, state = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            for seed in (1, 2):
                torch.manual_seed(seed)
                np.random.seed(seed)  # noqa: NPY002
                random.seed(seed)
                before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
                found.append(
                    perturb(convolutional(), pictures(2), torch.zeros(2, 18, 18), order=order, regions=6, repeats=2)
                )
                assert torch.equal(before[0], torch.get_rng_state())
                assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
                assert before[2] == random.getstate()
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(state)
    assert torch.equal(found[0].orders, found[1].orders)
    assert torch.equal(found[0].scores, found[1].scores)
