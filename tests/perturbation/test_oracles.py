"""Curves against the paper's loop (slow, pixel by pixel) and against closed forms."""

import pytest
import torch

from heatproof import aopc, aopc_curve, perturb
from heatproof.perturbation import Protocol
from heatproof.perturbation.engine import ENGINES
from heatproof.perturbation.replacing import replacement_images
from heatproof.perturbation.scores import SCORES

SHAPES = [(18, 18), (20, 31), (35, 19)]
REPEATS = 2


@pytest.fixture
def agrees(loop):
    """Checks curves against the loop, which gets only the network's plain module."""

    def check(network, images, curves, regions, walks):
        replacements = replacement_images(images, curves.protocol, curves.images)
        expected = loop.curves(
            network.module, images, curves.targets, replacements, regions, walks, curves.protocol.score
        )
        torch.testing.assert_close(curves.scores.double(), expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(
            aopc(curves).double(), torch.tensor(loop.aopc(expected), dtype=torch.float64), rtol=1e-5, atol=1e-6
        )

    return check


def same_for_all(count, regions):
    return [regions] * count


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("order", ["morf", "lerf"])
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_heatmap_orders_equal_the_loop(agrees, loop, convolutional, pictures, heats, height, width, order, engine):
    network, images = convolutional(), pictures(2, height, width, dtype=torch.float64)
    heatmaps = heats(2, height, width)
    curves = perturb(network, images, heatmaps, order=order, repeats=REPEATS, engine=engine)
    regions = loop.grid(height, width, 9)
    walks = [[loop.ordered(heatmap, regions, order)] * REPEATS for heatmap in heatmaps]
    agrees(network, images, curves, same_for_all(2, regions), walks)


@pytest.mark.parametrize("order", ["morf", "lerf"])
@pytest.mark.parametrize("score", SCORES)
def test_scores_equal_the_loop(agrees, loop, convolutional, pictures, heats, score, order):
    network, images, heatmaps = convolutional(), pictures(2, dtype=torch.float64), heats(2)
    curves = perturb(network, images, heatmaps, order=order, score=score, repeats=REPEATS)
    regions = loop.grid(18, 18, 9)
    walks = [[loop.ordered(heatmap, regions, order)] * REPEATS for heatmap in heatmaps]
    agrees(network, images, curves, same_for_all(2, regions), walks)


@pytest.mark.parametrize("size", [1, 4, 7, 18])
def test_grid_sizes_equal_the_loop(agrees, loop, convolutional, pictures, heats, size):
    network, images, heatmaps = convolutional(), pictures(2, dtype=torch.float64), heats(2)
    steps = min(12, (18 // size) ** 2)
    curves = perturb(network, images, heatmaps, regions=size, steps=steps, repeats=REPEATS)
    regions = loop.grid(18, 18, size)
    walks = [[loop.ordered(heatmap, regions, "morf")[:steps]] * REPEATS for heatmap in heatmaps]
    agrees(network, images, curves, same_for_all(2, regions), walks)


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_other_targets_than_the_predicted_equal_the_loop(agrees, loop, convolutional, pictures, heats, order):
    network, images, heatmaps = convolutional(), pictures(3, dtype=torch.float64), heats(3)
    targets = (network.predict(images) + 1) % 4
    curves = perturb(network, images, heatmaps, targets=targets, order=order, repeats=REPEATS)
    assert torch.equal(targets, curves.targets)
    regions = loop.grid(18, 18, 9)
    walks = [[loop.ordered(heatmap, regions, order)] * REPEATS for heatmap in heatmaps]
    agrees(network, images, curves, same_for_all(3, regions), walks)


def test_random_order_equals_the_loop(agrees, loop, convolutional, pictures):
    """Each repeat of each image has its own shuffle of all regions, and the curve follows it."""
    network, images = convolutional(), pictures(2, 20, 31, dtype=torch.float64)
    curves = perturb(network, images, order="random", repeats=3)
    walks = curves.orders.tolist()
    assert all(sorted(walk) == list(range(6)) for image in walks for walk in image)
    assert len({tuple(walk) for image in walks for walk in image}) > 1
    agrees(network, images, curves, same_for_all(2, loop.grid(20, 31, 9)), walks)


@pytest.mark.parametrize("repeated", [False, True])
def test_given_orders_equal_the_loop(agrees, loop, convolutional, pictures, repeated):
    network, images = convolutional(), pictures(2, dtype=torch.float64)
    order = torch.tensor([[[3, 0, 2], [1, 2, 3]], [[0, 1, 2], [2, 3, 0]]])
    order = order if repeated else order[:, 0]
    curves = perturb(network, images, order=order, repeats=REPEATS)
    walks = order.tolist() if repeated else [[walk] * REPEATS for walk in order.tolist()]
    assert curves.order == "given"
    agrees(network, images, curves, same_for_all(2, loop.grid(18, 18, 9)), walks)


@pytest.mark.parametrize("each", [False, True], ids=["(H, W)", "(N, H, W)"])
@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_region_maps_equal_the_loop(agrees, loop, convolutional, pictures, heats, order, each):
    """Regions of any form, with pixels that are never removed; with a map each, images may differ in their number."""
    network, images, heatmaps = convolutional(), pictures(2, dtype=torch.float64), heats(2)
    stripes = (torch.arange(18) // 4)[:, None].expand(18, 18).clone()  # 5 regions, the last of 2 rows
    stripes[:, :3] = -1
    rings = (torch.arange(18)[:, None] * 5 + torch.arange(18)) % 7  # 7 regions that do not hang together
    maps = torch.stack([stripes, rings]) if each else stripes
    curves = perturb(network, images, heatmaps, order=order, regions=maps, repeats=REPEATS)
    regions = [stripes.tolist(), rings.tolist() if each else stripes.tolist()]
    walks = [[loop.ordered(heatmaps[n], regions[n], order)[:5]] * REPEATS for n in range(2)]
    agrees(network, images, curves, regions, walks)


def test_grid_equals_the_loop(loop):
    from heatproof.perturbation.regions import grid

    for shape in [(18, 18, 9), (20, 31, 9), (35, 19, 9), (7, 5, 2), (5, 5, 5), (3, 4, 1)]:
        assert grid(*shape).tolist() == loop.grid(*shape)


def test_removed_fraction_counts_the_removed_pixels(loop, convolutional, pictures, heats):
    curves = perturb(convolutional(), pictures(2, 20, 31), heats(2, 20, 31), repeats=1)
    expected = torch.arange(7, dtype=torch.float64) * 81 / (20 * 31)
    torch.testing.assert_close(curves.removed_fraction, expected.expand(2, 1, 7))


def test_removed_fraction_knows_regions_of_unequal_size(convolutional, pictures, heats):
    regions = torch.zeros(18, 18, dtype=torch.int64)
    regions[:2], regions[-1] = 1, -1
    curves = perturb(convolutional(), pictures(1), order=torch.tensor([[1, 0]]), regions=regions, repeats=1)
    expected = torch.tensor([[[0, 2 / 18, 17 / 18]]], dtype=torch.float64)
    torch.testing.assert_close(curves.removed_fraction, expected)


class TestLinear:
    """For f(x) = ⟨w, x⟩ and zeros, removing a region takes away exactly its contribution."""

    COUNT = 3

    @pytest.fixture
    def case(self, linear, pictures, zeros):
        weight = torch.randn(2, 3, 20, 31, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        images = pictures(self.COUNT, 20, 31, dtype=torch.float64)
        contributions = (weight[0] * images).sum(dim=1)  # (N, H, W)
        of_regions = contributions[:, 1:19, 2:29].reshape(self.COUNT, 2, 9, 3, 9).sum(dim=(2, 4)).flatten(1)
        targets = torch.zeros(self.COUNT, dtype=torch.int64)
        return linear(weight), images, contributions, of_regions, targets

    @pytest.mark.parametrize(("order", "descending"), [("morf", True), ("lerf", False)])
    def test_curve(self, case, zeros, order, descending):
        network, images, contributions, of_regions, targets = case
        curves = perturb(network, images, contributions, targets=targets, order=order, replacement=zeros, repeats=1)
        drops = torch.nn.functional.pad(of_regions.sort(dim=1, descending=descending).values.cumsum(dim=1), (1, 0))
        expected = contributions.sum(dim=(1, 2))[:, None] - drops
        torch.testing.assert_close(curves.scores[:, 0].double(), expected, rtol=1e-6, atol=2e-5)

    def test_aopc(self, case, zeros):
        """AOPC = 1/(L + 1) · Σ_j (L + 1 − j)·c_(j), where c_(j) is the j-th largest contribution."""
        network, images, contributions, of_regions, targets = case
        curves = perturb(network, images, contributions, targets=targets, replacement=zeros, steps=4, repeats=2)
        largest = of_regions.sort(dim=1, descending=True).values[:, :4]
        expected = (largest * torch.tensor([4, 3, 2, 1])).sum(dim=1) / 5
        torch.testing.assert_close(aopc(curves).double(), expected, rtol=1e-5, atol=2e-5)

    def test_single_drops_are_the_contributions(self, case, zeros):
        network, images, _, of_regions, targets = case
        order = torch.arange(6).expand(self.COUNT, 6)
        curves = perturb(network, images, targets=targets, order=order, replacement=zeros, repeats=1)
        torch.testing.assert_close(-curves.scores[:, 0].diff(dim=1).double(), of_regions, rtol=1e-5, atol=5e-5)

    def test_random_order_removes_the_mean_contribution(self, case, zeros):
        """The mean over orders of f(x⁽ᵏ⁾) is f(x) − k/R of all that can be removed."""
        network, images, contributions, of_regions, targets = case
        curves = perturb(network, images, targets=targets, order="random", replacement=zeros, repeats=30)
        expected = contributions.sum(dim=(1, 2))[:, None] - of_regions.mean(dim=1)[:, None] * torch.arange(7)
        spread = of_regions.std(dim=1, correction=0)[:, None] * 6**0.5
        distance = (curves.scores.mean(dim=1) - expected).abs()
        assert bool((distance < 5 * spread / 30**0.5).all()), (distance, spread)


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_step_zero_is_the_untouched_image(convolutional, pictures, heats, order):
    network, images = convolutional(), pictures(3, dtype=torch.float64)
    curves = perturb(network, images, heats(3), order=order, repeats=2)
    expected = network.module(images).amax(dim=1)[:, None].expand(3, 2)
    torch.testing.assert_close(curves.scores[:, :, 0].double(), expected, rtol=1e-6, atol=1e-6)


def test_lerf_is_morf_backwards_and_ends_at_the_same_score(convolutional, pictures, heats):
    network, images = convolutional(), pictures(3, 20, 31, dtype=torch.float64)
    morf, lerf = (perturb(network, images, heats(3, 20, 31), order=order, repeats=2) for order in ("morf", "lerf"))
    assert torch.equal(morf.orders, lerf.orders.flip(2))
    torch.testing.assert_close(morf.scores[..., -1], lerf.scores[..., -1], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(morf.scores[..., 1], lerf.scores[..., 1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["constant", "two values"])
def test_lerf_is_morf_backwards_in_spite_of_ties(convolutional, pictures, heats, kind):
    heatmaps = torch.zeros(3, 18, 18) if kind == "constant" else (heats(3) > 1).double()
    morf, lerf = (
        perturb(convolutional(), pictures(3), heatmaps, order=order, regions=3, repeats=1) for order in ("morf", "lerf")
    )
    assert torch.equal(morf.orders, lerf.orders.flip(2))


@pytest.mark.parametrize("steps", [None, 5])
def test_negating_a_heatmap_swaps_morf_and_lerf(convolutional, pictures, heats, steps):
    network, images, heatmaps = convolutional(), pictures(3, dtype=torch.float64), heats(3)
    options = {"regions": 6, "steps": steps, "repeats": 2}
    for order, other in (("morf", "lerf"), ("lerf", "morf")):
        one = perturb(network, images, heatmaps, order=order, **options)
        swapped = perturb(network, images, -heatmaps, order=other, **options)
        assert torch.equal(one.orders, swapped.orders)
        torch.testing.assert_close(one.scores, swapped.scores, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("transform", [torch.exp, lambda r: r**3, lambda r: 1e-6 * r - 7, torch.atan])
@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_only_the_order_of_regions_counts(convolutional, pictures, heats, order, transform):
    """A monotone transform of the regions' relevance changes nothing."""
    network, images = convolutional(), pictures(2)
    relevance = heats(2, 3, 3)
    maps = [
        perturb(
            network,
            images,
            values.repeat_interleave(6, dim=1).repeat_interleave(6, dim=2),
            order=order,
            regions=6,
            steps=7,
            repeats=2,
        )
        for values in (relevance, transform(relevance))
    ]
    assert torch.equal(maps[0].orders, maps[1].orders)
    assert torch.equal(maps[0].scores, maps[1].scores)


def test_fewer_steps_are_the_beginning_of_more(convolutional, pictures, heats):
    network, images, heatmaps = convolutional(), pictures(2), heats(2)
    for order in ("morf", "lerf", "random"):
        whole = perturb(network, images, heatmaps, order=order, regions=6, repeats=2)
        part = perturb(network, images, heatmaps, order=order, regions=6, repeats=2, steps=4)
        assert torch.equal(whole.orders[..., :4], part.orders)
        torch.testing.assert_close(whole.scores[..., :5], part.scores, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(aopc_curve(whole)[:, 4], aopc(part), rtol=1e-5, atol=1e-5)


def test_the_paper_removes_a_hundred_regions():
    """Or all, where there are fewer."""
    assert Protocol().steps_for(torch.arange(625)[None]) == 100
    assert Protocol().steps_for(torch.arange(99)[None]) == 99
    assert Protocol().regions == 9
    assert Protocol().repeats == 1  # the paper takes ten
    assert Protocol().replacement == "uniform"
    assert Protocol().score == "logit"
