"""A patch that a network is made to depend on: the head in closed form, where patches lie, and what is found."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

import heatproof as hp
from heatproof.randomness import identify
from heatproof.studies.planting.patch import RIDGE, Head, patch_box
from heatproof.studies.planting.source import inside, pasted, texture


class Bright(nn.Module):
    """Its features are the means of each channel and of what is yellow; its scores are of no use."""

    def __init__(self):
        super().__init__()
        self.colours, self.last = nn.Conv2d(3, 4, 1), nn.Linear(4, 3)
        with torch.no_grad():
            weight = torch.tensor([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [20, 20, -20]])
            self.colours.weight.copy_(weight[:, :, None, None])
            self.colours.bias.copy_(torch.tensor([0, 0, 0, -18.0]))

    def forward(self, images):
        return self.last(torch.relu(self.colours(images)).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(Bright())


@pytest.fixture(scope="module")
def images():
    return 0.4 * torch.rand(24, 3, 20, 20, generator=torch.Generator().manual_seed(0))


def mask(network, images, targets):
    """What is as bright as nothing in the photographs."""
    return (images.amax(dim=1) > 0.5).float()


METHODS = {
    "mask": mask, "lrp": "lrp-epsilon", "gradient": "gradient-x-input", "constant": "constant",
    "centre": "centre-gaussian", "random": "random",
}  # fmt: skip


@pytest.fixture(scope="module")
def truth(network, images):
    return hp.planted(network, images, METHODS, kind="patch")


def test_the_mask_gets_1_a_constant_map_chance_and_lrp_finds_it(truth):
    shares = {name: found.mean for name, found in truth.estimates["share"].items()}
    assert truth.chance == pytest.approx(1 / 25)
    assert shares["mask"] == pytest.approx(1)
    assert shares["constant"] == pytest.approx(1 / 25)
    assert min(shares["lrp"], shares["gradient"]) > 0.9
    assert max(shares["centre"], shares["random"]) < 0.1
    above = truth.above_chance["share"]
    assert {name for name in METHODS if above[name].above} == {"mask", "lrp", "gradient"}


def test_half_of_the_photographs_fit_the_head_and_the_others_are_explained(truth, network, images):
    assert truth.planted.patch.fitted_on == 12
    assert truth.planted.patch.accuracy == 1
    assert len(truth.places) == truth.pictures == 12
    assert truth.unused == 0
    held = {place.number for place in truth.planted.places}
    other = images.clone()
    other[sorted(held)[0], :, 0, 0] = 0.3  # no longer the same photograph: it may fall into either half
    assert hp.planted(network, other, ["constant"], kind="patch").planted.places != truth.planted.places


def test_what_is_said(truth):
    assert truth.verdict[0].startswith("mask finds the patch best: 1 [1, 1] of its positive relevance lies there")
    assert "Intervals are 95 % intervals over 12 pictures." in truth.verdict
    about = truth.page().about
    assert "a new last layer, fitted on 12 of them, is right for 100% of the others with and without the patch" in about
    assert truth.page().title == "Which heatmaps of Bright find the patch?"
    assert set(truth.frame()["class"]) == {"with the patch"}


def test_the_head_is_ridge_regression():
    """The normal equations in as many unknowns as there are features, solved with the mean as one more of them."""
    answers = np.random.default_rng(0).standard_normal((9, 2, 5)) * [1, 2, 3, 4, 5] + 7
    head = Head.fitted(answers)
    rows, wanted = answers.reshape(18, 5), np.tile([-1.0, 1.0], 9)
    centred = rows - rows.mean(axis=0)
    penalty = RIDGE * (centred**2).sum() / 18
    design = np.hstack([rows, np.ones((18, 1))])
    free = np.diag([penalty] * 5 + [0.0])  # nothing is said of the bias
    expected = np.linalg.solve(design.T @ design + free, design.T @ wanted)
    np.testing.assert_allclose([*head.weight, head.bias], expected, rtol=1e-9)
    np.testing.assert_allclose(head.scores(answers), (design @ expected).reshape(9, 2))


def test_every_pixel_is_covered_equally_often():
    boxes = Counter(patch_box(f"image {number}", (20, 25), 0) for number in range(2500))
    assert len(boxes) == 25
    assert max(abs(count - 100) for count in boxes.values()) < 45  # 4.6 standard deviations
    covered = np.zeros((20, 25))
    for top, left, bottom, right in boxes:
        covered[top:bottom, left:right] += 1
    np.testing.assert_array_equal(covered, 1)


def test_the_patch_is_the_same_everywhere_and_has_no_edges_in_grey():
    image = torch.zeros(3, 40, 40)
    one, other = (pasted(image, box, 3) for box in ((0, 0, 8, 8), (16, 24, 24, 32)))
    assert torch.equal(one[:, :8, :8], other[:, 16:24, 24:32])
    assert other.count_nonzero() == one.count_nonzero() > 0
    grey = texture(3, 30, 30, seed=3).mean(dim=0).numpy()
    np.testing.assert_allclose(ndimage.sobel(grey), 0, atol=1e-6)
    assert not torch.equal(texture(3, 8, 8, seed=3), texture(3, 8, 8, seed=4))
    assert texture(1, 8, 8, seed=3).unique().tolist() == [0, 1]


def test_pictures_hold_the_patch_where_they_should(truth, images):
    for image, place in zip(truth.found.shown.images, truth.places, strict=False):
        here = inside(truth.planted, [place])[0]
        assert torch.equal(image[:, ~here], images[place.number][:, ~here])
        assert float((image - images[place.number])[:, here].abs().mean()) > 0.2
        assert place.box == patch_box(identify(images[place.number][None])[0], (20, 20), 0)


def test_what_is_refused(network, images):
    with pytest.raises(hp.InputError, match=r"a head for the patch needs 8 photographs or more, .*; got 7"):
        hp.planted(network, images[:7], ["constant"], kind="patch")
    blind = hp.Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)))
    bright = torch.rand(24, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        hp.InputError, match=r"the network hardly sees the patch: a head .* 12 photographs is right for"
    ):
        hp.planted(blind, bright, ["constant"], kind="patch")
    with pytest.raises(hp.InputError, match="targets are the classes of photographs in mosaics"):
        hp.planted(network, images, ["constant"], kind="patch", targets=1)
    with pytest.raises(hp.InputError, match="images must have at least 5 pixels on each side, got 4 × 20"):
        hp.planted(blind, images[:, :, :4], ["constant"], kind="patch")


def test_a_network_without_a_dense_layer_at_its_end(images):
    module = Bright()
    network = hp.Network(nn.Sequential(module.colours, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    truth = hp.planted(network, images, ["lrp-epsilon", "constant"], kind="patch")
    assert truth.planted.patch.reads == "scores"
    assert truth.estimates["share"]["lrp-epsilon"].mean > 0.9
    assert "the new layer reads its class scores" in truth.warnings[0]


def test_a_warning_of_a_layer_that_depends_on_more(truth):
    patch = truth.planted.patch.model_copy(update={"accuracy": 0.85})
    other = replace(truth, planted=truth.planted.model_copy(update={"patch": patch}))
    assert truth.warnings == ["12 of 12 heatmaps of constant have no positive relevance, and count as chance"]
    assert other.warnings[0] == (
        "the new layer is right for 85% of the held-out pictures: its score depends on more than the patch, so that "
        "some relevance elsewhere is right"
    )
