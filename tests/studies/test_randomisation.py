"""Whether heatmaps follow the weights, as a study."""

import copy
import json

import numpy as np
import polars as pl
import pytest
import scipy
import torch
from torch import nn

import heatproof as hp
from heatproof.randomness import addressed

METHODS = ["gradient-x-input", "sensitivity-l2", "centre-gaussian", "constant"]


def module():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 12, 3)
        return nn.Sequential(*layers)


@pytest.fixture
def network():
    return hp.Network(module())


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).random((5, 3, 16, 16), dtype=np.float32))


@pytest.fixture
def study(network, images):
    return hp.randomisation(network, images, METHODS)


def test_values_are_those_of_a_plain_loop(study, images):
    """Weights of one more layer are shuffled, from the last one on, and each map is compared pixel by pixel."""
    shuffled, before = module().eval(), module().eval()
    targets = before(images).argmax(dim=1)

    def maps(model):
        given = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(given).gather(1, targets[:, None]).sum(), given)
        return (gradient * images).sum(dim=1)

    first = maps(before)
    assert study.steps == ("1 of 3: 5", "2 of 3: 2", "3 of 3: 0")
    for step, layer in enumerate(["5", "2", "0"], start=1):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            parameter = shuffled.get_parameter(name)
            order = addressed(seed=0, image=name, purpose="shuffled weights").permutation(parameter.numel())
            parameter.data = parameter.detach().flatten()[torch.from_numpy(order)].reshape(parameter.shape)
        for image, (one, other) in enumerate(zip(first, maps(copy.deepcopy(shuffled)), strict=True)):
            expected = scipy.stats.spearmanr(one.abs().ravel(), other.abs().ravel()).statistic
            assert study.curves["gradient-x-input"][image, step] == pytest.approx(expected, abs=1e-4)
    curves = study.curves["gradient-x-input"]
    np.testing.assert_allclose(study.values["correlation"]["gradient-x-input"], curves[:, 1:].mean(axis=1))


def test_baselines_stay_at_one_and_zeros_have_no_value(study):
    np.testing.assert_array_equal(study.curves["centre-gaussian"], np.ones((5, 4)))
    assert np.isnan(study.curves["constant"]).all()
    assert study.ordered("correlation")[2:] == ["centre-gaussian", "constant"]
    assert study.warnings == ["5 of 5 heatmaps of constant are all zero: they have no value, and are left out"]
    said = " ".join(study.verdict)
    assert "centre-gaussian and constant stay at 1 by construction" in said
    assert "This is a sanity check, and no ranking" in said


def test_a_linear_layer_keeps_the_shares_of_its_weights(images):
    """With one layer, |gradient| is its shuffled weights: what is left is the correlation of a permutation, near 0."""
    found = hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2)))
    study = hp.randomisation(found, images, ["sensitivity-l2"])
    assert study.steps == ("1 of 1: 1",)
    assert np.abs(study.values["correlation"]["sensitivity-l2"]).max() < 0.25


def test_shuffling_the_scores_alone_leaves_what_does_not_depend_on_them(images):
    """A network whose last layer has one weight for all channels has the same map after its first step."""
    layers = module()
    nn.init.constant_(layers[5].weight, 0.1)
    nn.init.constant_(layers[5].bias, 0.0)
    study = hp.randomisation(hp.Network(layers), images, ["gradient-x-input"])
    np.testing.assert_allclose(study.curves["gradient-x-input"][:, 1], 1, atol=1e-9)


def test_deep_networks_are_grouped(images):
    layers = [layer for _ in range(12) for layer in (nn.Conv2d(3, 3, 1), nn.ReLU())]
    found = hp.Network(nn.Sequential(*layers, nn.Flatten(), nn.Linear(768, 2)))
    study = hp.randomisation(found, images, ["centre-gaussian"], groups=4)
    assert [step.partition(":")[0] for step in study.steps] == ["3 of 13", "6 of 13", "9 of 13", "13 of 13"]
    np.testing.assert_allclose(study.shares, [0, 3 / 13, 6 / 13, 9 / 13, 1])
    assert "13 layers in 4 steps" in study.page().about


def test_neither_batches_nor_the_order_of_images_matter(study, network, images):
    parts = hp.randomisation(network, images, METHODS, memory=1)
    turned = hp.randomisation(network, images.flip(0), METHODS)
    for name, curves in study.curves.items():
        np.testing.assert_allclose(parts.curves[name], curves, atol=1e-4)
        np.testing.assert_allclose(turned.curves[name][::-1], curves, atol=1e-4)


def test_the_network_stays_as_it_is(network, images):
    before = network.fingerprint()
    hp.randomisation(network, images, ["sensitivity-l2"])
    assert network.fingerprint() == before


def test_the_run_directory_and_progress(network, images, tmp_path):
    seen = []
    study = hp.randomisation(
        network, images, METHODS, memory=1, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (5 * 4, 5 * 4)
    study.save(tmp_path / "RUN")
    frame = pl.read_parquet(tmp_path / "RUN" / "scores.parquet")
    assert frame.columns == ["image", "method", "step", "shuffled", "correlation"]
    assert frame.height == 5 * 4 * 4
    chosen = frame.filter(
        (pl.col("method") == "sensitivity-l2") & (pl.col("image") == "image 3") & (pl.col("step") == 2)
    )
    assert chosen["shuffled"].item() == "2 of 3: 2"
    assert chosen["correlation"].item() == study.curves["sensitivity-l2"][3, 2]
    run = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert (run["study"], run["steps"], run["plan"]["changing"]) == (
        "randomisation", list(study.steps), {"study": "randomisation", "groups": 10, "seed": 0},
    )  # fmt: skip
    assert set(study.figures()) == {"cascade", "gallery"}


def test_the_axis_above_the_curves_says_what_it_is_a_share_of(study):
    figure = study.figures()["cascade"]
    (above,) = [child for axes in figure.axes for child in axes.child_axes]
    assert above.get_xlabel() == "share of the layers with shuffled weights (%)"


def test_what_is_refused(network, images):
    with pytest.raises(hp.InputError, match="do not belong to images or networks that are changed now"):
        hp.randomisation(network, images, {"mine": torch.zeros(5, 16, 16)})
    with pytest.raises(hp.InputError, match="groups must be a whole number from 1 to 10,000, got 0"):
        hp.randomisation(network, images, ["random"], groups=0)
    flat = hp.Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    with pytest.raises(hp.InputError, match="expected a network with parameters to randomise, got one without"):
        hp.randomisation(flat, images, ["sobel"])
