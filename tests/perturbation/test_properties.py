"""What must hold whatever the numbers are: regions partition the image; only the image and the seed count."""

import random

import numpy as np
import pytest
import torch

from heatproof import Network, aopc, perturb
from heatproof.perturbation import Protocol
from heatproof.perturbation.regions import grid
from heatproof.perturbation.replacements import REPLACEMENTS, asks_for
from heatproof.perturbation.replacing import replacement_images
from heatproof.randomness import identify

ORDERS = ("morf", "lerf", "random")


def assert_same_scores(actual, expected):
    """To 1e-4 of the scores' range."""
    spread = float(expected.max() - expected.min())
    assert spread > 0.1, "the case is trivial"
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4 * spread)


@pytest.mark.parametrize("size", [1, 2, 5, 9, 18])
@pytest.mark.parametrize(("height", "width"), [(18, 18), (20, 31), (35, 19), (18, 40)])
def test_regions_partition_the_image_but_for_a_centred_border(height, width, size):
    regions = grid(height, width, size)
    number = (height // size) * (width // size)
    counts = torch.bincount(regions[regions >= 0], minlength=number)
    assert counts.tolist() == [size * size] * number
    for region in range(number):
        rows, columns = (regions == region).nonzero(as_tuple=True)
        assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == size
    for inside in ((regions >= 0).any(dim=1), (regions >= 0).any(dim=0)):
        (kept,) = inside.nonzero(as_tuple=True)
        before, after = int(kept.min()), len(inside) - 1 - int(kept.max())
        assert 0 <= after - before <= 1
        assert before + after == len(inside) % size
        assert len(kept) == len(inside) - before - after


def test_the_paper_s_grid_has_625_regions():
    regions = grid(227, 227, 9)
    assert int(regions.max()) == 624
    assert (regions == 0).sum() / 227**2 == pytest.approx(0.00157, abs=5e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_the_border_is_never_removed_and_never_a_step(recording, pictures, heats, order):
    """Each step changes 81 pixels, inside the grid; the border keeps the image's pixels even at full removal."""
    network, images = recording(20, 31), pictures(1, 20, 31)
    heatmaps = heats(1, 20, 31)
    heatmaps[:, :1], heatmaps[:, :, :2] = 100, -100  # the most and the least relevant pixels are in the border
    curves = perturb(network, images, heatmaps, order=order, repeats=1, targets=torch.tensor([0]), engine="full")
    border = grid(20, 31, 9) < 0
    assert bool((network.seen[:, :, border] == images[0][:, border]).all())
    changed = (network.seen != images).any(dim=1).sum(dim=(1, 2))
    assert changed.tolist() == [81 * k for k in range(7)]
    assert sorted(curves.orders.flatten().tolist()) == list(range(6))


def test_pixels_of_region_minus_one_are_never_removed(recording, pictures, heats):
    regions = torch.arange(18)[:, None].div(6, rounding_mode="floor").expand(18, 18).clone()
    regions[4:9, 3:11] = -1
    network, images = recording(), pictures(1)
    perturb(network, images, heats(1), regions=regions, repeats=1, targets=torch.tensor([0]), engine="full")
    assert bool((network.seen[:, :, regions < 0] == images[0][:, regions < 0]).all())
    assert bool((network.seen[-1] != images[0])[:, regions >= 0].all())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_batch_size_changes_nothing(monkeypatch, convolutional, pictures, heats, size, order):
    network, images, heatmaps = convolutional(torch.float32), pictures(3, 20, 31), heats(3, 20, 31)
    expected = perturb(network, images, heatmaps, order=order, repeats=3)
    monkeypatch.setattr(Network, "batch_size", lambda *_, **__: size)
    curves = perturb(network, images, heatmaps, order=order, repeats=3)
    assert torch.equal(curves.orders, expected.orders)
    assert_same_scores(curves.scores, expected.scores)


@pytest.mark.parametrize("memory", [1, 40_000, 10**6])
def test_memory_changes_nothing(convolutional, pictures, heats, memory):
    """Images are worked on in blocks, from one image to all of them."""
    network, images, heatmaps = convolutional(torch.float32), pictures(5), heats(5)
    for order in ORDERS:
        expected = perturb(network, images, heatmaps, order=order, repeats=2)
        curves = perturb(network, images, heatmaps, order=order, repeats=2, memory=memory)
        assert torch.equal(curves.orders, expected.orders)
        assert_same_scores(curves.scores, expected.scores)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("chosen", [[3, 1, 0, 2], [2], [1, 3]], ids=["another order", "one alone", "a subset"])
def test_other_images_change_nothing(convolutional, pictures, heats, chosen, order):
    network, images, heatmaps = convolutional(torch.float32), pictures(4), heats(4)
    heatmaps[2] = 0  # ties
    expected = perturb(network, images, heatmaps, order=order, regions=6, repeats=2)
    curves = perturb(network, images[chosen], heatmaps[chosen], order=order, regions=6, repeats=2)
    assert torch.equal(curves.orders, expected.orders[chosen])
    assert curves.images == tuple(expected.images[i] for i in chosen)
    assert torch.equal(curves.targets, expected.targets[chosen])
    assert_same_scores(curves.scores, expected.scores[chosen])


@pytest.mark.parametrize("order", ORDERS)
def test_threads_change_nothing(convolutional, pictures, heats, order):
    network, images, heatmaps = convolutional(torch.float32), pictures(3), heats(3)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(perturb(network, images, heatmaps, order=order, repeats=2))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].orders, found[1].orders)
    assert_same_scores(*(curves.scores for curves in found))


def test_memory_layout_changes_nothing(convolutional, pictures, heats):
    network, images, heatmaps = convolutional(torch.float32), pictures(3), heats(3)
    expected = perturb(network, images, heatmaps, repeats=2)
    laid_out = images.contiguous(memory_format=torch.channels_last)
    transposed = heatmaps.transpose(1, 2).contiguous().transpose(1, 2)
    curves = perturb(network, laid_out, transposed, repeats=2)
    assert curves.images == expected.images
    assert torch.equal(curves.orders, expected.orders)
    assert_same_scores(curves.scores, expected.scores)


def test_inputs_are_left_as_they_are(convolutional, pictures, heats):
    images, heatmaps, order = pictures(2), heats(2), torch.tensor([[0, 1], [2, 3]])
    copies = [tensor.clone() for tensor in (images, heatmaps, order)]
    perturb(convolutional(), images, heatmaps, repeats=2)
    perturb(convolutional(), images, order=order, repeats=2)
    assert all(torch.equal(*pair) for pair in zip((images, heatmaps, order), copies, strict=True))


def test_a_run_repeats_itself(convolutional, pictures, heats):
    for order in ORDERS:
        one, other = (perturb(convolutional(), pictures(2), heats(2), order=order, repeats=2) for _ in range(2))
        assert torch.equal(one.orders, other.orders)
        assert torch.equal(one.scores, other.scores)


@pytest.mark.parametrize("name", [name for name in REPLACEMENTS if not asks_for(name, "removed")])
class TestReplacementImages:
    """A contract of every registered replacement that makes images; for imputations see ``test_imputations``."""

    def make(self, images, name, **options):
        ids = options.pop("ids", None) or identify(images)
        data_set = torch.rand(5, *images.shape[1:], generator=torch.Generator().manual_seed(0))
        protocol = Protocol(replacement=name, **{"repeats": 2} | options).fitted(data_set)
        return replacement_images(images, protocol, ids)

    def test_images_in_the_range_of_images(self, pictures, name):
        images = pictures(3, 20, 31)
        made = self.make(images, name)
        assert made.shape == (3, 2, 3, 20, 31)
        assert made.dtype == images.dtype
        assert 0 <= float(made.min()) <= float(made.max()) <= 1

    def test_the_same_in_any_batch(self, pictures, name):
        images = pictures(3, 20, 31)
        alone = torch.cat([self.make(images[i : i + 1], name) for i in range(3)])
        assert torch.equal(self.make(images, name), alone)

    def test_the_same_in_any_order(self, pictures, name):
        images = pictures(3, 20, 31)
        assert torch.equal(self.make(images, name)[[2, 0, 1]], self.make(images[[2, 0, 1]], name))

    def test_the_same_repeat_whatever_their_number(self, pictures, name):
        images = pictures(2)
        assert torch.equal(self.make(images, name, repeats=5)[:, :2], self.make(images, name, repeats=2))

    def test_images_are_left_as_they_are(self, pictures, name):
        images = pictures(2)
        self.make(images, name)
        assert torch.equal(images, pictures(2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_uniform_is_the_same_in_any_dtype(pictures, dtype):
    protocol, images = Protocol(repeats=2), pictures(2)
    expected = replacement_images(images, protocol, identify(images))
    made = replacement_images(images.to(dtype), protocol, identify(images))
    assert torch.equal(made, expected.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_identity_does_not_depend_on_the_dtype(pictures, dtype):
    assert identify(pictures(2)) == identify(pictures(2, dtype=dtype))


def test_uniform_draws_are_uniform_and_independent():
    """Mean 1/2, variance 1/12, tenths equally full, no correlation between channels, neighbours, images, or repeats."""
    images = torch.zeros(2, 3, 60, 60)
    made = replacement_images(images, Protocol(repeats=2), ["a", "b"]).double()
    assert float(made.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(made.var()) == pytest.approx(1 / 12, abs=0.003)
    tenths = torch.histc(made, 10, 0, 1) / made.numel()
    torch.testing.assert_close(tenths, torch.full((10,), 0.1, dtype=torch.float64), rtol=0, atol=0.01)
    pixels = made.movedim(2, 0).flatten(1)
    neighbours = torch.stack([made[..., :-1].flatten(), made[..., 1:].flatten()])
    sources = made.flatten(2).flatten(0, 1)
    for variables in (pixels, neighbours, sources):
        correlation = torch.corrcoef(variables) - torch.eye(len(variables))
        assert float(correlation.abs().max()) < 0.05


def test_one_replacement_image_serves_all_heatmaps_and_orders(recording, pictures, heats):
    """At full removal nothing is left but the replacement image, and it is the same one whatever the order was."""
    images, seen = pictures(1), []
    for order, heatmaps in (("morf", heats(1)), ("lerf", heats(1, seed=5)), ("random", None)):
        network = recording()
        perturb(network, images, heatmaps, order=order, repeats=2, targets=torch.tensor([0]), engine="full")
        seen.append(network.seen[[4, 8]])  # after the untouched image, four steps of each repeat
    given = recording()
    perturb(given, images, order=torch.tensor([[3, 2, 1, 0]]), repeats=2, targets=torch.tensor([0]), engine="full")
    seen.append(given.seen[[4, 8]])
    expected = replacement_images(images, Protocol(repeats=2), identify(images))[0]
    assert all(torch.equal(expected, one) for one in seen)


def test_repeats_and_seeds_and_images_differ(pictures):
    images = pictures(2)
    one, other = (replacement_images(images, Protocol(seed=seed, repeats=2), ["a", "b"]) for seed in (0, 1))
    sources = [image for made in (one, other) for repeats in made for image in repeats]
    assert len(sources) == 8
    for i, first in enumerate(sources):
        assert all(bool((first != second).float().mean() > 0.99) for second in sources[:i])


def test_seeds_change_scores_random_orders_and_ties(convolutional, pictures):
    images, flat = pictures(3), torch.zeros(3, 18, 18)
    for order in ORDERS:
        one, other = (
            perturb(convolutional(), images, flat, order=order, regions=6, repeats=2, seed=seed) for seed in (0, 1)
        )
        assert not torch.equal(one.orders, other.orders)
        assert not torch.equal(one.scores[..., 1:], other.scores[..., 1:])
        assert torch.equal(one.scores[..., 0], other.scores[..., 0])


def test_ids_address_the_draws(convolutional, pictures):
    """With the same id two images get the same draws; with others than their own they get others."""
    images = pictures(2)
    same = perturb(convolutional(), images, order="random", regions=6, repeats=2, ids=["a", "a"])
    assert torch.equal(same.orders[0], same.orders[1])
    own, named = (
        perturb(convolutional(), images, order="random", regions=6, repeats=2, ids=ids) for ids in (None, "ab")
    )
    assert not torch.equal(own.orders, named.orders)
    assert named.images == ("a", "b")


def test_random_orders_are_uniform(convolutional, pictures):
    """The first region that each of 300 shuffles removes: each of 9 regions about 33 times (χ² with 8 degrees)."""
    curves = perturb(convolutional(torch.float32), pictures(3), order="random", regions=6, steps=1, repeats=100)
    counts = torch.bincount(curves.orders[:, :, 0].flatten(), minlength=9)
    assert float(((counts - 300 / 9) ** 2 / (300 / 9)).sum()) < 26.1  # 99.9 %


def states():
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002 - must not change


@pytest.mark.parametrize("order", ORDERS)
def test_no_global_random_state_is_changed(convolutional, pictures, heats, order):
    before = states()
    aopc(perturb(convolutional(), pictures(2), heats(2) * 0, order=order, repeats=2))
    after = states()
    assert torch.equal(before[0], after[0])
    assert all(np.array_equal(*pair) for pair in zip(before[1], after[1], strict=True))
    assert before[2] == after[2]
