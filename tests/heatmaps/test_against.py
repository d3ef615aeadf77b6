"""Targets that are asked against another class: closed forms, linearity in what a way back begins with, refusals."""

from importlib.util import find_spec

import pytest
import torch
from small_networks import ReluCNN, randomised
from torch import nn

import heatproof as hp
from heatproof.heatmaps import METHODS, explain_batches
from heatproof.heatmaps.control_methods import INPUT_ONLY

FROM_A_LOGIT = [name for name in METHODS if name.startswith("lrp-")] + ["gradient-x-input"]  # linear in the start
NORMS = [name for name in METHODS if name.startswith(("sensitivity-", "deconvolution-"))]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return hp.Network(randomised(ReluCNN()), classes=("ant", "bee", "cat", "dog", "bee"))


@pytest.fixture(scope="module")
def images():
    return torch.rand(4, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", ["gradient-x-input", "lrp-epsilon[epsilon=1e-12,bias=exclude]"])
def test_closed_form_of_a_linear_network(method, images):
    """For logits W x, the map of a against b is (w_a − w_b) ⊙ x, summed over channels."""
    linear = nn.Linear(3 * 12 * 12, 4, bias=False).double()
    network = hp.Network(nn.Sequential(nn.Flatten(), linear))
    expected = ((linear.weight[2] - linear.weight[0]).reshape(3, 12, 12) * images).sum(dim=1).detach()
    torch.testing.assert_close(hp.explain(network, images, method, targets=2, against=0), expected)


@pytest.mark.parametrize("method", FROM_A_LOGIT)
def test_the_map_of_a_difference_is_the_difference_of_the_maps(method, network, images):
    found = hp.explain(network, images, method, targets=3, against="ant")
    expected = hp.explain(network, images, method, targets=3) - hp.explain(network, images, method, targets=0)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["l2", "linf"])
def test_sensitivity_is_that_of_the_difference(name, network, images):
    asked = images.clone().requires_grad_()
    logits = network.logits(asked)
    (gradient,) = torch.autograd.grad((logits[:, 3] - logits[:, 0]).sum(), asked)
    norm = torch.linalg.vector_norm(gradient, dim=1) if name == "l2" else gradient.abs().amax(dim=1)
    torch.testing.assert_close(hp.explain(network, images, f"sensitivity-{name}", targets=3, against=0), norm)


@pytest.mark.parametrize("method", [*FROM_A_LOGIT, *NORMS, "negated:lrp-epsilon", "randomised:lrp-epsilon"])
def test_maps_do_not_depend_on_the_batch(method, network, images):
    together = hp.explain(network, images, method, against="second")
    alone = torch.cat([hp.explain(network, images[i : i + 1], method, against="second") for i in range(4)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("method", INPUT_ONLY)
def test_maps_that_never_saw_the_network_stay(method, network, images):
    assert torch.equal(hp.explain(network, images, method, against="second"), hp.explain(network, images, method))


def test_second_is_the_highest_of_the_other_classes(network, images):
    best = network.logits(images).topk(2, dim=1)
    (batch,) = explain_batches(network, images, {"m": "gradient-x-input"}, against="second")
    assert torch.equal(batch.asked, best.indices)
    torch.testing.assert_close(batch.scores, best.values[:, 0] - best.values[:, 1])
    (lower,) = explain_batches(network, images, {}, targets=best.indices[:, 1], against="second")
    assert torch.equal(lower.against, best.indices[:, 0])  # for a given target it is the predicted class
    torch.testing.assert_close(lower.scores, -batch.scores)


def test_conservation_is_that_of_the_difference(images):
    linear = nn.Linear(3 * 12 * 12, 4, bias=False).double()
    network = hp.Network(nn.Sequential(nn.Flatten(), linear))
    (batch,) = explain_batches(network, images, {"lrp": "lrp-epsilon[epsilon=1e-9]"}, against="second")
    assert batch.conservation["lrp"].kept == pytest.approx(1)


def test_without_a_graph_gradients_begin_at_both_logits(images):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(3, 4)

        def forward(self, x):
            pooled = x.mean(dim=(2, 3))
            return self.dense(pooled * (1 if float(pooled.detach().sum()) > -1e9 else 2))

    network = hp.Network(Odd().double())
    assert network.without_graph((3, 12, 12))
    weight = network.module.dense.weight
    expected = ((weight[1] - weight[2])[None, :, None, None] / 144 * images).sum(dim=1)
    torch.testing.assert_close(hp.explain(network, images, "gradient-x-input", targets=1, against=2), expected)


@pytest.mark.skipif(not find_spec("zennit"), reason="needs zennit")
@pytest.mark.parametrize("composite", ["EpsilonPlusFlat", "EpsilonGammaBox", "GuidedBackprop"])
def test_composites_of_zennit(composite, network, images):
    found = hp.explain(network, images, f"zennit:{composite}", targets=3, against=0)
    assert found.shape == (4, 12, 12)
    if composite != "GuidedBackprop":
        one, other = (hp.explain(network, images, f"zennit:{composite}", targets=target) for target in (3, 0))
        torch.testing.assert_close(found, one - other)


@pytest.mark.parametrize(
    "method",
    [
        lambda network, images, targets: images[:, 0],
        pytest.param("captum:Saliency", marks=pytest.mark.skipif(not find_spec("captum"), reason="needs captum")),
        pytest.param("gradcam:GradCAM@conv2", marks=pytest.mark.skipif(not find_spec("pytorch_grad_cam"), reason="")),
    ],
)
def test_methods_of_one_logit_refuse(method, network, images):
    with pytest.raises(hp.InputError, match=r"explains one logit, and not the difference of two: leave out against"):
        hp.explain(network, images, method, against="second")


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ("ante", r"no class is called 'ante'; did you mean 'ant'\? against must be second, the name of a class, or"),
        ("bee", r"against 'bee' names classes 1, 4: give one of these numbers"),
        (5, r"against must be second, or a class from 0 to 4, got 5"),
        (0, r"image number 0 has class 0 \(ant\) as its target, which cannot be asked against itself: leave"),
    ],
)
def test_what_is_no_other_class(against, message, network, images):
    with pytest.raises(hp.InputError, match=message):
        hp.explain(network, images, "gradient-x-input", targets=0, against=against)


@pytest.mark.parametrize("against", [1.5, True, ["ant"]])
def test_what_is_no_class_at_all(against, network, images):
    with pytest.raises(TypeError, match="against must be second, the name of a class, or its number, got"):
        hp.explain(network, images, "gradient-x-input", against=against)


def test_the_image_is_named_wherever_its_batch_begins(network, images):
    with pytest.raises(hp.InputError, match="image number 3 has class 1"):
        hp.explain(network, images, "gradient-x-input", targets=torch.tensor([0, 2, 3, 1]), against=1, memory=2**10)


def test_one_class_has_no_other(images):
    network = hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 1)).double())
    with pytest.raises(hp.InputError, match="against 'second' compares two classes, and the network has one"):
        hp.explain(network, images, "gradient-x-input", against="second")
