"""The score of a target that is asked against another class: the difference of two logits, of fixed classes."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network import Network
from heatproof.perturbation import order_bounds, perturb, single_region_drops

ASKED = {"regions": 6, "repeats": 2, "replacement": "uniform"}


@pytest.fixture(scope="module")
def network(convolutional):
    return Network(convolutional().module, classes=("a", "b", "c", "d"))


@pytest.mark.parametrize("engine", ["full", "incremental"])
@pytest.mark.parametrize("against", ["second", "c", 2])
def test_scores_are_the_difference_of_the_two_curves(engine, against, network, pictures, heats):
    images, maps = pictures(3, dtype=torch.float64), heats(3)
    targets = torch.tensor([0, 1, 3])
    found = perturb(network, images, maps, targets=targets, against=against, engine=engine, **ASKED)
    logits = network.logits(images).clone()
    logits[torch.arange(3), targets] = -torch.inf
    others = logits.argmax(dim=1) if against == "second" else torch.full((3,), 2)
    assert torch.equal(found.against, others)
    one, other = (perturb(network, images, maps, targets=asked, engine="full", **ASKED) for asked in (targets, others))
    torch.testing.assert_close(found.scores, one.scores - other.scores, atol=1e-5, rtol=1e-5)


def test_classes_are_decided_on_the_untouched_image(network, pictures, heats):
    """The margin takes the best other class anew at every step, so it is lower, and equal where nothing is removed."""
    images, maps = pictures(8, dtype=torch.float64), heats(8)
    fixed = perturb(network, images, maps, against="second", **ASKED)
    anew = perturb(network, images, maps, score="margin", **ASKED)
    torch.testing.assert_close(fixed.scores[..., 0], anew.scores[..., 0])
    assert bool((anew.scores <= fixed.scores + 1e-6).all())
    assert bool((anew.scores < fixed.scores - 1e-3).any())


def test_probability_is_that_of_two_classes(network, pictures, heats):
    images, maps = pictures(3, dtype=torch.float64), heats(3)
    difference = perturb(network, images, maps, against="second", **ASKED)
    likely = perturb(network, images, maps, against="second", score="probability", **ASKED)
    torch.testing.assert_close(likely.scores, difference.scores.double().sigmoid().float(), atol=1e-6, rtol=1e-5)


def test_curves_do_not_depend_on_the_batch(network, pictures, heats):
    images, maps = pictures(3, dtype=torch.float64), heats(3)
    together = perturb(network, images, maps, against="second", **ASKED)
    alone = [perturb(network, images[i : i + 1], maps[i : i + 1], against="second", **ASKED) for i in range(3)]
    joined = type(together).joined(alone)
    torch.testing.assert_close(together.scores, joined.scores)
    assert torch.equal(together.asked, joined.asked)
    assert torch.equal(together.first(2).against, together.against[:2])


def test_measures_that_evaluate_further_follow_the_difference(network, pictures, heats):
    """For the same curves, bounds and drops are those of a network whose only logit is the difference."""
    images, maps = pictures(2, dtype=torch.float64), heats(2)

    class Difference(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network.module

        def forward(self, x):
            logits = self.inner(x)
            return logits[:, 1:2] - logits[:, 3:4]

    alone = Network(Difference())
    found = perturb(network, images, maps, targets=1, against=3, **ASKED)
    expected = perturb(alone, images, maps, targets=0, **ASKED)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-5, rtol=1e-5)
    bounds, others = order_bounds(network, images, found), order_bounds(alone, images, expected)
    torch.testing.assert_close(bounds.upper, others.upper, atol=1e-5, rtol=1e-5)
    for drops, same in zip(
        single_region_drops(network, images, found), single_region_drops(alone, images, expected), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(drops), torch.from_numpy(same), atol=1e-5, rtol=1e-5)


def test_what_is_followed_is_said(network, pictures):
    curves = perturb(network, pictures(1), order="random", against="second", regions=9)
    assert curves.protocol.unit == "logit difference"
    assert "logit difference: mean" in curves._repr_html_()
    assert replace(curves.protocol, against=None).unit == "logit"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score": "margin", "against": "second"}, "the score margin compares all classes, and against compares two"),
        ({"score": "standardised_logit", "against": 1}, "the score standardised_logit compares all classes"),
        ({"against": 9}, "against must be second, or a class from 0 to 3, got 9"),
        ({"against": -1}, "against must be a whole number from 0 to"),
        ({"targets": 2, "against": "c"}, r"image number 0 has class 2 \(c\) as its target"),
    ],
)
def test_refused(given, message, network, pictures):
    with pytest.raises(hp.InputError, match=message):
        perturb(network, pictures(2), order="random", **given)
