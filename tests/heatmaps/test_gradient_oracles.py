"""Sensitivity, gradient × input and deconvolution against Captum, finite differences, and numbers by hand."""

import warnings

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from small_networks import Forward, ReluCNN, narrowed, randomised
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.errors import InputError

IMAGENET = hp.Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def pictures(count=2, height=12, width=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, dtype=torch.float64, generator=generator)


def own(forward):
    torch.manual_seed(0)
    return randomised(Forward(forward))


class Block(nn.Module):
    """A basic block of ResNet with a ReLU module for each of its two uses: Captum's hooks need that."""

    def __init__(self, block):
        super().__init__()
        self.first = nn.Sequential(block.conv1, block.bn1)
        self.second = nn.Sequential(block.conv2, block.bn2)
        self.shortcut = block.downsample or nn.Identity()
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.relu2(self.second(self.relu1(self.first(x))) + self.shortcut(x))


def for_captum(name):
    """A torchvision network whose ReLUs are modules, each used once, none in place."""
    torch.manual_seed(0)
    module = getattr(models, name)(weights=None)
    if name in ("alexnet", "vgg11"):
        module = narrowed(module)
    if name == "resnet18":
        for stage in (module.layer1, module.layer2, module.layer3, module.layer4):
            for index, block in enumerate(stage):
                stage[index] = Block(block)
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return randomised(module)


def captum_maps(method, module, images, targets, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum tells that it sets hooks and requires gradients
        found = method(module).attribute(IMAGENET.normalise(images).requires_grad_(), target=targets, **options)
    return found.detach()


def assert_same_maps(found, expected):
    assert float(expected.abs().max()) > 0
    assert float((found - expected).abs().max()) < 1e-6 * float(expected.abs().max())


@pytest.fixture(scope="module", params=["alexnet", "squeezenet1_1", "resnet18", "vgg11"])
def compared(request):
    module = for_captum(request.param)
    network = hp.Network(module, preprocessing=IMAGENET)
    images = pictures(2, *((64, 64) if request.param in ("alexnet", "squeezenet1_1") else (32, 32)))
    return network, module, images, network.predict(images)


def test_sensitivity_is_captums_saliency_pooled_over_channels(compared):
    network, module, images, targets = compared
    saliency = captum_maps(captum.attr.Saliency, module, images, targets, abs=False)
    assert_same_maps(hp.explain(network, images, "sensitivity-l2"), saliency.square().sum(dim=1).sqrt())
    assert_same_maps(hp.explain(network, images, "sensitivity-linf"), saliency.abs().amax(dim=1))


def test_gradient_x_input_is_captums_summed_over_channels(compared):
    network, module, images, targets = compared
    expected = captum_maps(captum.attr.InputXGradient, module, images, targets).sum(dim=1)
    assert_same_maps(hp.explain(network, images, "gradient-x-input"), expected)


def test_deconvolution_is_captums_pooled_over_channels(compared):
    network, module, images, targets = compared
    signal = captum_maps(captum.attr.Deconvolution, module, images, targets)
    gradient = captum_maps(captum.attr.Saliency, module, images, targets, abs=False)
    assert float((signal - gradient).abs().max()) > 0.1 * float(gradient.abs().max())  # the case is not trivial
    assert_same_maps(hp.explain(network, images, "deconvolution-l2"), signal.square().sum(dim=1).sqrt())
    assert_same_maps(hp.explain(network, images, "deconvolution-linf"), signal.abs().amax(dim=1))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.SiLU, nn.Hardswish])
def test_gradient_is_the_finite_difference(activation):
    module = randomised(ReluCNN(activation))
    network = hp.Network(module, preprocessing=IMAGENET)
    images = pictures(2, 9, 11)
    targets = torch.tensor([1, 3])
    gradient = network.forward_pass(images, targets).gradient.flatten(start_dim=1)
    inputs, step = IMAGENET.normalise(images), 1e-6

    def scores(moved):
        return module(inputs + moved).gather(1, targets[:, None])[:, 0]

    for index in range(0, inputs[0].numel(), 7):
        moved = torch.zeros(inputs[0].numel(), dtype=torch.float64)
        moved[index] = step
        moved = moved.reshape(inputs[0].shape)
        with torch.no_grad():
            expected = (scores(moved) - scores(-moved)) / (2 * step)
        torch.testing.assert_close(gradient[:, index], expected, rtol=1e-5, atol=1e-8)


def modules_once(m, x):
    return m.scores(m.relu(m.other(m.act(m.conv(x)))))


def functional(m, x):
    return m.scores(F.relu(m.other(F.relu(m.conv(x)))))


def reused(m, x):
    return m.scores(m.relu(m.other(m.relu(m.conv(x)))))


def in_place(m, x):
    return m.scores(torch.relu_(m.other(m.conv(x).relu_())))


def clamped(m, x):
    return m.scores(F.relu6(m.other(F.relu6(m.conv(x)))))


@pytest.mark.parametrize("forward", [functional, reused, in_place, clamped])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_deconvolution_finds_activations_that_are_no_modules(forward, norm):
    """Trap: with hooks on ``nn.ReLU`` modules, deconvolution of these networks would be the plain gradient."""
    module, plain = own(forward), own(modules_once)
    plain.act = nn.ReLU()
    images = pictures()
    network = hp.Network(module)
    found = hp.explain(network, images, f"deconvolution-{norm}")
    torch.testing.assert_close(found, hp.explain(hp.Network(plain), images, f"deconvolution-{norm}"))
    gradient = hp.explain(network, images, f"sensitivity-{norm}")
    assert float((found - gradient).abs().max()) > 0.1 * float(gradient.abs().max())


def test_deconvolution_of_relu6_is_not_its_gradient():
    network = hp.Network(randomised(ReluCNN(nn.ReLU6)))
    found, gradient = (hp.explain(network, pictures(), name) for name in ("deconvolution-l2", "sensitivity-l2"))
    assert float((found - gradient).abs().max()) > 0.1 * float(gradient.abs().max())


def test_deconvolution_by_hand():
    """Backwards, a ReLU passes max(0, signal) whatever its input was; the gradient asks for the input."""
    # x = (1, 1, 1) → z = (1, −1) → f = 2·relu(z₀) − 3·relu(z₁) and its negative
    module = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2, bias=False))
    module[0].weight.data = torch.tensor([[2.0, -2.0, 1.0], [1.0, 0.0, -2.0]]).reshape(2, 3, 1, 1)
    module[3].weight.data = torch.tensor([[2.0, -3.0], [-2.0, 3.0]])
    network, image = hp.Network(module), torch.ones(1, 3, 1, 1)
    maps = {
        (method, target): float(hp.explain(network, image, method, targets=torch.tensor([target])))
        for method in (
            "sensitivity-l2",
            "sensitivity-linf",
            "deconvolution-l2",
            "deconvolution-linf",
            "gradient-x-input",
        )
        for target in (0, 1)
    }
    # gradients: of f (4, −4, 2), of −f (−4, 4, −2); deconvolution: of f, the signals (2, 0), so (4, −4, 2); of −f, the
    # signals (0, 3), so (3, 0, −6)
    assert maps == pytest.approx(
        {
            ("sensitivity-l2", 0): 6, ("sensitivity-l2", 1): 6,
            ("sensitivity-linf", 0): 4, ("sensitivity-linf", 1): 4,
            ("deconvolution-l2", 0): 6, ("deconvolution-l2", 1): 45**0.5,
            ("deconvolution-linf", 0): 4, ("deconvolution-linf", 1): 6,
            ("gradient-x-input", 0): 2, ("gradient-x-input", 1): -2,
        }
    )  # fmt: skip


@pytest.mark.parametrize("method", ["sensitivity", "deconvolution"])
def test_norms_over_channels_by_hand(method):
    module = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(2, 2, bias=False))
    module[0].weight.data = torch.tensor([3.0, 0.0, -4.0]).reshape(1, 3, 1, 1)
    module[2].weight.data = torch.tensor([[1.0, -2.0], [0.0, 0.0]])
    network, image, targets = hp.Network(module), torch.rand(1, 3, 1, 2), torch.tensor([0])
    euclidean = hp.explain(network, image, f"{method}-l2", targets=targets)
    torch.testing.assert_close(euclidean, torch.tensor([[[5.0, 10.0]]]))
    largest = hp.explain(network, image, f"{method}-linf", targets=targets)
    torch.testing.assert_close(largest, torch.tensor([[[4.0, 8.0]]]))


@pytest.mark.parametrize("method", ["sensitivity-l2", "deconvolution-l2", "lrp-epsilon", "lrp-alphabeta"])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(2)], ids=["max", "adaptive max"])
def test_max_pooling_sends_to_the_maximum(method, pool):
    module = nn.Sequential(pool, nn.Flatten(), nn.Linear(4, 1)).double()
    module[2].weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    image = torch.linspace(0.1, 0.9, 16, dtype=torch.float64).reshape(1, 1, 4, 4)
    network = hp.Network(module, preprocessing=hp.Preprocessing(mean=(0.0,), std=(1.0,)))
    found = hp.explain(network, image, method)[0]
    assert found.nonzero().tolist() == [[1, 1], [1, 3], [3, 1], [3, 3]]


def test_deconvolution_refuses_other_activations_with_their_place():
    network = hp.Network(randomised(ReluCNN(nn.GELU)))
    with pytest.raises(InputError, match=r"deconvolution-l2 .*through act1 \(gelu\) \(and at 2 more places\): .*ReLU"):
        hp.explain(network, pictures(), "deconvolution-l2")
    assert bool(hp.explain(network, pictures(), "lrp-epsilon").isfinite().all())


def test_deconvolution_refuses_an_activation_that_is_no_module_with_its_place():
    with pytest.raises(InputError, match=r"through the model's own gelu: .*; choose another method"):
        hp.explain(hp.Network(own(lambda m, x: m.scores(F.gelu(m.conv(x))))), pictures(), "deconvolution-linf")


@pytest.mark.parametrize("name", ["mobilenet_v3_small", pytest.param("efficientnet_b0", marks=pytest.mark.slow)])
def test_gates_and_smooth_activations_leave_lrp_but_not_deconvolution(name):
    torch.manual_seed(0)
    network = hp.Network(randomised(getattr(models, name)(weights=None)), preprocessing=IMAGENET)
    images = pictures(2, 64, 64)
    assert network.without_graph((3, 64, 64)) is None or network.graph((3, 64, 64))
    with pytest.raises(
        InputError, match=r"deconvolution-l2 cannot go through features\.0\.\d+.* \(and at \d+ more places\)"
    ):
        hp.explain(network, images, "deconvolution-l2")
    for method in ("lrp-epsilon", "lrp-alphabeta", "lrp-epsilon-gamma-box"):
        maps = hp.explain(network, images, method)
        assert bool(maps.isfinite().all())
        assert float(maps.abs().max()) > 0
