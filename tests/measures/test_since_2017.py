"""Relative drop, calibration, single regions, NAOPC and PIC: loops, closed forms, invariance, and what is refused."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof import InputError, Network, aopc, perturb
from heatproof.measures import calibration, compressed_sizes, insertion_auc, naopc, pic, relative_drop, single_region
from heatproof.perturbation.bounds import OrderBounds, order_bounds
from heatproof.perturbation.regions import as_regions, relevance_of_regions
from heatproof.perturbation.subsets import removals


@pytest.fixture
def relevance(images, heatmaps):
    return relevance_of_regions(heatmaps, as_regions(4, images))


# relative drop


def test_relative_drop_is_aopc_over_the_untouched_score(perturbed):
    for options in ({}, {"scored": 4}):
        curves = perturbed("morf", **options)
        expected = aopc(curves).double() / curves.scores[:, 0, 0].double()
        torch.testing.assert_close(relative_drop(curves), expected, rtol=1e-6, atol=1e-7)


def test_relative_drop_does_not_change_when_logits_are_scaled(perturbed):
    scores = perturbed("morf").scores
    torch.testing.assert_close(relative_drop(scores), relative_drop(1000 * scores))


@pytest.mark.parametrize("begin", [0.0, -1.0])
def test_relative_drop_refuses_a_score_of_zero_or_below(begin):
    scores = torch.tensor([[1.0, 0.5], [begin, -2.0]])
    with pytest.raises(InputError, match="relative_drop needs a score above zero of every untouched image"):
        relative_drop(scores)


# calibration


def test_calibration_equals_the_loop(perturbed, relevance, formulas):
    for order in ("morf", "lerf", "random"):
        curves = perturbed(order)
        orders = curves.orders.expand(-1, 2, -1)
        expected = []
        for image in range(3):
            found = []
            for repeat in range(2):
                scores, walk = curves.scores[image, repeat].tolist(), orders[image, repeat].tolist()
                drops = [scores[k - 1] - scores[k] for k in range(1, len(scores))]
                found.append(formulas.pearson(drops, [relevance[image][region] for region in walk]))
            expected.append(sum(found) / 2)
        torch.testing.assert_close(calibration(curves, relevance), torch.tensor(expected, dtype=torch.float64))


def test_calibration_counts_sizes_which_orders_ignore(perturbed, relevance):
    """A monotone transform of relevance leaves every order as it is, and the correlation with sizes not."""
    curves = perturbed("morf")
    stretched = [np.exp(image / 5) for image in relevance]
    assert float((calibration(curves, stretched) - calibration(curves, relevance)).abs().max()) > 1e-3
    scaled = [3 * image + 7 for image in relevance]
    torch.testing.assert_close(calibration(curves, scaled), calibration(curves, relevance))
    turned = [-image for image in relevance]
    torch.testing.assert_close(calibration(curves, turned), -calibration(curves, relevance))


def test_nothing_told_is_a_correlation_of_zero(perturbed, relevance):
    curves = perturbed("morf")
    constant = [np.full(9, 0.1) for _ in relevance]
    assert torch.equal(calibration(curves, constant), torch.zeros(3, dtype=torch.float64))
    flat = replace(curves, scores=torch.full_like(curves.scores, 0.1))
    assert torch.equal(calibration(flat, relevance), torch.zeros(3, dtype=torch.float64))
    one = perturbed("morf", steps=1)
    assert torch.equal(calibration(one, relevance), torch.zeros(3, dtype=torch.float64))


def test_calibration_needs_every_step(perturbed, relevance):
    with pytest.raises(
        InputError, match="calibration needs the score after every step; perturb again with scored=None"
    ):
        calibration(perturbed("morf", scored=4), relevance)


def test_relevance_that_does_not_match(perturbed, relevance):
    with pytest.raises(InputError, match=r"\(R,\) for each of 3 images, got 2 images"):
        calibration(perturbed("morf"), relevance[:2])
    with pytest.raises(InputError, match="relevance of image 0 must cover all of its regions, at least 9, got 8"):
        calibration(perturbed("morf"), [image[:8] for image in relevance])
    with pytest.raises(InputError, match="relevance must be finite"):
        calibration(perturbed("morf"), [image * np.nan for image in relevance])


# single regions


def test_single_region_equals_the_loop(formulas):
    generator = np.random.default_rng(0)
    drops = [generator.integers(0, 4, (2, count)).astype(float) for count in (5, 8)]  # with ties
    relevance = [generator.integers(0, 4, count).astype(float) for count in (5, 8)]
    expected = [
        sum(formulas.spearman(row.tolist(), own.tolist()) for row in fall) / 2
        for fall, own in zip(drops, relevance, strict=True)
    ]
    torch.testing.assert_close(single_region(drops, relevance), torch.tensor(expected, dtype=torch.float64))


def test_single_region_counts_ranks_alone(relevance):
    drops = [np.random.default_rng(image).standard_normal((2, 9)) for image in range(3)]
    expected = single_region(drops, relevance)
    torch.testing.assert_close(single_region(drops, [np.exp(image) for image in relevance]), expected)
    torch.testing.assert_close(single_region(drops, [-image for image in relevance]), -expected)
    torch.testing.assert_close(single_region([fall**3 for fall in drops], relevance), expected)
    assert torch.equal(single_region(drops, [np.full(9, 0.1)] * 3), torch.zeros(3, dtype=torch.float64))
    own = [fall[0] for fall in drops]
    perfect = single_region([fall[:1] for fall in drops], torch.from_numpy(np.stack(own)))
    torch.testing.assert_close(perfect, torch.ones(3, dtype=torch.float64))


def test_single_region_of_other_regions(relevance):
    with pytest.raises(InputError, match=r"relevance of image 0 must be of its 4 regions, got shape \(9,\)"):
        single_region([np.zeros((1, 4))] * 3, relevance)


# NAOPC


def test_naopc_is_linear_between_the_bounds():
    scores = torch.tensor([[[2.0, 1.0, 0.0], [2.0, 2.0, 2.0]]])  # AOPC 1 and 0
    bounds = OrderBounds(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.5, 3.0]]), 2, 0, exact=True)  # 1/2 and 1/4
    torch.testing.assert_close(naopc(scores, bounds), torch.tensor([0.375], dtype=torch.float64))
    nothing = OrderBounds(torch.zeros(1, 2), torch.zeros(1, 2), 2, 0, exact=True)
    torch.testing.assert_close(naopc(torch.ones(1, 2, 3), nothing), torch.tensor([0.5], dtype=torch.float64))


def test_naopc_forgets_scale_and_offset_of_the_score(network, images, perturbed):
    """Raw AOPC of a network with logits ten times as large is ten times as large; NAOPC is the same."""

    class Louder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network.module

        def forward(self, inputs):
            return 10 * self.inner(inputs) + 5

    louder = Network(Louder())
    curves = perturbed("random", score="logit")
    other = perturb(louder, images, order="random", regions=4, repeats=2, engine="full")
    torch.testing.assert_close(aopc(other), 10 * aopc(curves), rtol=1e-4, atol=1e-4)
    own, others = order_bounds(network, images, curves), order_bounds(louder, images, other)
    torch.testing.assert_close(naopc(other, others), naopc(curves, own), rtol=0, atol=1e-5)


def test_naopc_of_sampled_steps_is_unbiased(network, images, perturbed):
    full = perturbed("random")
    bounds = order_bounds(network, images, full)
    draws = torch.stack(
        [
            naopc(replace(full, scores=full.scores.gather(2, steps), scored=steps), bounds)
            for steps in (_sampled(9, 3, seed) for seed in range(300))
        ]
    )
    error = draws.std(dim=0) / 300**0.5
    assert bool(((draws.mean(dim=0) - naopc(full, bounds)).abs() < 4 * error).all())


def _sampled(steps, scored, seed):
    ends = np.arange(scored + 1) * steps // scored
    drawn = torch.from_numpy(np.random.default_rng(seed).integers(ends[:-1] + 1, ends[1:] + 1))
    return torch.nn.functional.pad(drawn, (1, 0)).expand(3, 2, -1)


def test_naopc_of_other_bounds():
    bounds = OrderBounds(torch.zeros(2, 1), torch.ones(2, 1), 4, 0, exact=True)
    with pytest.raises(InputError, match=r"\(N, repeats\) = \(3, 1\) and 4 steps, got \(2, 1\) and 4"):
        naopc(torch.zeros(3, 5), bounds)
    with pytest.raises(InputError, match=r"and 3 steps, got \(2, 1\) and 4"):
        naopc(torch.zeros(2, 4), bounds)


# PIC


@pytest.fixture
def smooth():
    """(3, 3, 12, 12) in [0, 1] that black pixels make simpler."""
    return torch.from_numpy(np.random.default_rng(2).random((3, 3, 12, 12))).float()


@pytest.fixture
def revealed(network, smooth, heatmaps):
    def make(order="lerf", **options):
        given = {"regions": 4, "replacement": "black", "repeats": 2, "score": "probability", "engine": "full"}
        return perturb(network, smooth.double(), heatmaps, order=order, **(given | options))

    return make


def test_sizes_are_those_of_the_images_as_files(revealed, smooth):
    """Each image of the sequence is made pixel by pixel, written as lossless WebP, read again, and measured."""
    curves = revealed(replacement="uniform")
    found = compressed_sizes(smooth.double(), curves)
    assert found.shape == (3, 2, 10)
    removal = list(removals(smooth.double(), curves))[1]
    regions = as_regions(4, smooth)[1]
    image = removal.image.clone()
    filled = removal.without(torch.ones(1, 9, dtype=torch.bool), 1)[0]
    for step in range(10):
        if step:
            gone = regions == int(curves.orders[1, 0, step - 1])
            image[:, gone] = filled[:, gone]
        levels = np.round(image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(levels).save(file, format="WEBP", lossless=True, quality=50, method=4)
        assert np.array_equal(np.asarray(Image.open(file)), levels)
        assert int(found[1, 1, step]) == file.tell()


def test_pic_equals_the_loop(revealed, smooth, formulas):
    """The revealed image grows from nothing to all: trapezoids over its share of the information."""
    curves = revealed()
    sizes = compressed_sizes(smooth.double(), curves)
    expected = []
    for image in range(3):
        areas = []
        for repeat in range(2):
            files, scores = sizes[image, repeat].tolist()[::-1], curves.scores[image, repeat].tolist()[::-1]
            shares = [(size - files[0]) / (files[-1] - files[0]) for size in files]
            areas.append(formulas.trapezoids(shares, scores))
        expected.append(sum(areas) / 2)
    torch.testing.assert_close(pic(curves, sizes), torch.tensor(expected, dtype=torch.float64))


def test_pic_of_sizes_that_fall_evenly_is_insertion_auc(revealed):
    curves = revealed()
    even = torch.linspace(900, 0, 10, dtype=torch.float64).expand(3, 1, -1)
    torch.testing.assert_close(pic(curves, even), insertion_auc(curves))


def test_pic_reads_sizes_of_all_steps_and_scores_of_some(revealed, smooth):
    sampled = revealed(scored=4)
    sizes = compressed_sizes(smooth.double(), sampled)
    assert sizes.shape == (3, 2, 10)
    assert bool(torch.isfinite(pic(sampled, sizes)).all())


def test_pic_refuses_what_does_not_get_simpler(revealed, smooth):
    blurred = smooth * 0 + 0.5  # grey images, whose replacement by noise is no simpler
    curves = revealed(replacement="uniform")
    sizes = compressed_sizes(blurred.double(), curves)
    with pytest.raises(InputError, match="but 3 of 3 get no smaller by it: take replacement 'blur'"):
        pic(curves, sizes)


def test_pic_refuses_other_orders_sizes_and_curves(revealed):
    with pytest.raises(InputError, match="pic needs curves of order 'lerf', got 'morf'"):
        pic(revealed("morf"), torch.ones(3, 1, 10))
    with pytest.raises(InputError, match="pic needs curves to full removal"):
        pic(revealed(steps=4), torch.ones(3, 1, 5))
    with pytest.raises(InputError, match=r"N = 3 and L = 9, got \(3, 1, 9\)"):
        pic(revealed(), torch.ones(3, 1, 9))
