"""Bounds over all orders: brute force over every order, dynamic programming, beam search, and what they cost."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from heatproof import InputError, Preprocessing, explain, load_network, perturb
from heatproof.measures import naopc
from heatproof.perturbation.bounds import best_total, bound_evaluations, order_bounds, searched_total
from heatproof.perturbation.subsets import removals

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights" / "squeezenet1_0_imagenet.safetensors"


@pytest.fixture(scope="module")
def formulas():
    path = Path(__file__).parents[1] / "reference" / "measures_loop.py"
    spec = importlib.util.spec_from_file_location("measures_loop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def regions_of():
    """Makes a map of so many regions of other sizes on 12 × 12 pixels, the last row never removed."""

    def make(count):
        columns = torch.arange(12) * count // 12
        regions = columns.expand(12, 12).clone()
        regions[-1] = -1
        return regions

    return make


@pytest.fixture
def curves_of(convolutional, pictures, heats, regions_of):
    """Images and their curves."""

    def make(count, order="morf", **options):
        images = pictures(3, 12, 12, dtype=torch.float64)
        chosen = {"repeats": 2, "engine": "full"} | options
        return images, perturb(
            convolutional(), images, heats(3, 12, 12), order=order, regions=regions_of(count), **chosen
        )

    return make


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (2, 2), (5, 5), (6, 3), (7, 2)])
def test_equal_brute_force_over_all_orders_of_a_network(convolutional, curves_of, formulas, count, steps):
    images, curves = curves_of(count, steps=steps)
    found = order_bounds(convolutional(), images, curves)
    assert found.exact
    for image, removal in enumerate(removals(images, curves)):
        for repeat in range(2):

            @cache
            def score(removed, removal=removal, repeat=repeat):
                subset = torch.zeros(1, count, dtype=torch.bool)
                subset[0, list(removed)] = True
                return float(removal.scores(convolutional(), subset, repeat, lambda evaluations: None))

            lower, upper = formulas.bounds(score, count, steps)
            assert float(found.lower[image, repeat]) == pytest.approx(lower, abs=1e-5)
            assert float(found.upper[image, repeat]) == pytest.approx(upper, abs=1e-5)
            assert count < 3 or upper - lower > 1e-2


@pytest.mark.parametrize(("count", "steps"), [(7, 7), (7, 4), (4, 1)])
def test_dynamic_programming_equals_brute_force_on_arbitrary_values(formulas, count, steps):
    """A set function without any structure: f(x∖S) is drawn for each S."""
    values = np.random.default_rng(count * steps).standard_normal(2**count)
    values[0] = 0

    def score(removed):
        return -float(values[sum(1 << region for region in removed)])

    lower, upper = formulas.bounds(score, count, steps)
    assert best_total(values, count, steps) / (steps + 1) == pytest.approx(upper)
    assert -best_total(-values, count, steps) / (steps + 1) == pytest.approx(lower)


def test_linear_network_has_closed_form_bounds(linear, pictures, regions_of):
    """f = ⟨w, x⟩ and black: the best order takes the largest contributions first, the worst the smallest."""
    images = pictures(2, 12, 12, dtype=torch.float64)
    weight = torch.from_numpy(np.random.default_rng(3).standard_normal((1, 3, 12, 12)))
    network, regions = linear(weight), regions_of(6)
    contribution = (weight * images).sum(dim=1).flatten(1)
    each = torch.zeros(2, 7, dtype=torch.float64).index_add(1, (regions.flatten() + 1), contribution)[:, 1:]
    curves = perturb(network, images, order="random", regions=regions, replacement="black", repeats=1, engine="full")
    found = order_bounds(network, images, curves)
    for largest_first, bound in ((True, found.upper), (False, found.lower)):
        ordered = each.sort(dim=1, descending=largest_first).values
        expected = ordered.cumsum(dim=1).sum(dim=1) / 7
        torch.testing.assert_close(bound[:, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("replacement", ["uniform", "road"])
@pytest.mark.parametrize("steps", [6, 3])
def test_every_order_lies_between_the_bounds(convolutional, curves_of, replacement, steps):
    images, curves = curves_of(6, steps=steps, replacement=replacement)
    bounds = order_bounds(convolutional(), images, curves)
    for order in ("morf", "lerf", "random"):
        _, other = curves_of(6, order=order, steps=steps, replacement=replacement)
        found = naopc(other, bounds)
        assert bool(((found >= -1e-5) & (found <= 1 + 1e-5)).all())


def test_the_best_and_the_worst_order_reach_one_and_zero(linear, pictures, regions_of):
    images, weight = pictures(2, 12, 12), torch.from_numpy(np.random.default_rng(3).standard_normal((1, 3, 12, 12)))
    network, heat = linear(weight.float()), (weight.float() * images).sum(dim=1)
    given = {"regions": regions_of(6), "replacement": "black", "repeats": 1, "engine": "full"}
    morf, lerf = (perturb(network, images, heat, order=order, **given) for order in ("morf", "lerf"))
    bounds = order_bounds(network, images, lerf)
    torch.testing.assert_close(naopc(morf, bounds), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(naopc(lerf, bounds), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [7, 4])
def test_a_beam_never_beats_the_exact_bounds_and_reaches_them_when_it_holds_all(convolutional, curves_of, steps):
    images, curves = curves_of(7, steps=steps)
    exact = order_bounds(convolutional(), images, curves)
    for beam in (1, 2, 5, 35):
        found = order_bounds(convolutional(), images, curves, beam=beam)
        assert not found.exact
        assert bool((found.upper <= exact.upper + 1e-6).all())
        assert bool((found.lower >= exact.lower - 1e-6).all())
        assert bool((found.upper >= found.lower).all())
    torch.testing.assert_close(found.upper, exact.upper, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.lower, exact.lower, rtol=0, atol=1e-6)


def test_a_wider_beam_is_needed_where_the_greedy_order_is_led_astray():
    """Region 0 takes most at first, but only regions 1 and 2 together take a lot."""
    values = {(0,): 2.0, (1,): 1.0, (2,): 1.0, (0, 1): 2.0, (0, 2): 2.0, (1, 2): 9.0, (0, 1, 2): 9.0}

    def drops(subsets):
        return np.array([values[tuple(np.flatnonzero(subset).tolist())] for subset in subsets])

    assert searched_total(drops, 3, 3, beam=1) == 2 + 2 + 9
    assert searched_total(drops, 3, 3, beam=3) == 1 + 9 + 9


@pytest.mark.parametrize(("count", "steps"), [(6, 6), (6, 2), (1, 1)])
def test_exact_bounds_take_as_many_evaluations_as_planned(convolutional, curves_of, count, steps):
    images, curves = curves_of(count, steps=steps)
    told = []
    found = order_bounds(convolutional(), images, curves, on_progress=told.append)
    assert found.evaluations == sum(told) == 3 * 2 * bound_evaluations(count, steps)


@pytest.mark.parametrize("beam", [1, 2, 4, 100])
def test_a_beam_takes_no_more_evaluations_than_planned(convolutional, curves_of, beam):
    images, curves = curves_of(7, steps=5)
    found = order_bounds(convolutional(), images, curves, beam=beam)
    planned = 3 * 2 * bound_evaluations(7, 5, beam=beam)
    assert planned / 2 < found.evaluations <= planned
    if beam in (1, 100):
        assert found.evaluations == planned


def test_counts_by_hand():
    assert bound_evaluations(3, 3) == 7
    assert bound_evaluations(3, 3, beam=1) == 2 * (3 + 2 + 1)
    assert bound_evaluations(16, 16) == 2**16 - 1


def test_neither_batches_nor_the_order_of_images_change_bounds(convolutional, curves_of, pictures, heats, regions_of):
    images, curves = curves_of(6)
    whole = order_bounds(convolutional(), images, curves)
    backwards = perturb(
        convolutional(), images.flip(0), heats(3, 12, 12).flip(0), regions=regions_of(6), repeats=2, memory=2**20
    )
    found = order_bounds(convolutional(), images.flip(0), backwards)
    torch.testing.assert_close(found.upper.flip(0), whole.upper, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.lower.flip(0), whole.lower, rtol=0, atol=1e-5)


def test_too_many_regions_need_a_beam(convolutional, pictures):
    images = pictures(1, 20, 20, dtype=torch.float64)
    curves = perturb(convolutional(), images, order="random", regions=4, steps=3, repeats=1, engine="full")
    with pytest.raises(InputError, match=r"at most, got 25: take larger regions, or a beam search \(beam=5\)"):
        order_bounds(convolutional(), images, curves)
    with pytest.raises(InputError, match="at most, got 17"):
        bound_evaluations(17, 2)
    with pytest.raises(InputError, match="beam must be at least 1, got 0"):
        bound_evaluations(17, 2, beam=0)
    assert order_bounds(convolutional(), images, curves, beam=2).upper.shape == (1, 1)


def test_images_that_are_not_those_of_the_curves(convolutional, curves_of):
    images, curves = curves_of(3)
    with pytest.raises(InputError, match="images must be the 3 images of the curves, got 2"):
        order_bounds(convolutional(), images[:2], curves)


@pytest.fixture(scope="module")
def squeezenet():
    """SqueezeNet with its real weights, and images of 64 × 64 pixels with curves over regions of some size."""
    if not WEIGHTS.is_file():
        pytest.skip("no real weights beside the checkout (shared/weights)")
    preprocessing = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    network = load_network("torchvision:squeezenet1_0", weights=WEIGHTS, preprocessing=preprocessing)
    coarse = torch.from_numpy(np.random.default_rng(0).random((2, 3, 6, 6), dtype=np.float32))
    images = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")
    heat = explain(network, images, "lrp-alphabeta")

    def make(size, count):
        given = {"regions": size, "replacement": "blur", "repeats": 1, "engine": "full"}
        curves = [perturb(network, images[:count], heat[:count], order=order, **given) for order in ("morf", "lerf")]
        return network, images[:count], curves

    return make


def test_real_network(squeezenet):
    """3 × 3 regions: LRP's MoRF and LeRF lie between the exact bounds, and so do a beam's bounds."""
    network, images, (morf, lerf) = squeezenet(21, 2)
    bounds = order_bounds(network, images, morf)
    assert bounds.evaluations == 2 * bound_evaluations(9, 9) == 2 * 511
    for curves in (morf, lerf):
        found = naopc(curves, bounds)
        assert bool(((found >= -1e-4) & (found <= 1 + 1e-4)).all())
    beam = order_bounds(network, images, morf, beam=3)
    assert beam.evaluations <= 2 * bound_evaluations(9, 9, beam=3) < bounds.evaluations
    assert bool((beam.upper <= bounds.upper + 1e-4).all())
    assert bool((beam.lower >= bounds.lower - 1e-4).all())


@pytest.mark.slow
def test_real_network_with_sixteen_regions(squeezenet):
    """4 × 4 regions: all 65 535 subsets."""
    network, images, (morf, lerf) = squeezenet(16, 1)
    bounds = order_bounds(network, images, morf)
    assert bounds.evaluations == bound_evaluations(16, 16) == 65535
    for curves in (morf, lerf):
        assert -1e-4 <= float(naopc(curves, bounds)) <= 1 + 1e-4
    beam = order_bounds(network, images, morf, beam=5)
    assert bool((beam.upper <= bounds.upper + 1e-4).all())
    assert bool((beam.lower >= bounds.lower - 1e-4).all())


def test_images_in_another_order_than_the_curves_are_refused(convolutional, curves_of):
    images, curves = curves_of(4)
    with pytest.raises(InputError, match="in the same order, got them in another order"):
        order_bounds(convolutional(), images.flip(0), curves)
