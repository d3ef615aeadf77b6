"""Real weights: LRP against Zennit, gradients and deconvolution against Captum, in float64 and in one memory layout.

Both packages hook modules. Their copies of a network have a module for each use of a ReLU, each sum, each mean.
"""

import copy
import warnings

import captum.attr
import pytest
import real_networks
import torch
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.layer import Sum
from zennit.torchvision import ResNetCanonizer
from zennit_maps import METHODS, worst_difference

import heatproof as hp

slow = pytest.mark.slow
# denominators near zero: one unit in the last place of the image moves Zennit's maps by 3e-5 and 2e-6
UNSTABLE = {"mobilenetv2": {("lrp-epsilon", "exclude"): 1e-3, ("lrp-epsilon[epsilon=100]", "exclude"): 1e-4}}
QUICK = ("lrp-epsilon", "lrp-alphabeta", "lrp-epsilon-gamma-box")


def without_eps(module):
    """The same function, with the eps of each batch norm in its variances: Zennit forgets it (test_lrp_oracles.py)."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_var.add_(part.eps)
            part.eps = 0.0
    return module


@pytest.fixture(scope="module", params=["resnet18", "mobilenetv2", pytest.param("resnet50", marks=slow)])
def real(request):
    """Name, network in float64, and one photograph."""
    loaded = real_networks.network(request.param)
    network = hp.Network(without_eps(copy.deepcopy(loaded.module).double()), preprocessing=loaded.preprocessing)
    return request.param, network, real_networks.photographs(loaded.preprocessing, 1).double()


class Summed(nn.Module):
    """A block of MobileNet v2 whose addition is a module."""

    def __init__(self, block):
        super().__init__()
        self.conv, self.sum = block.conv, Sum()

    def forward(self, x):
        return self.sum(torch.stack([x, self.conv(x)], dim=-1))


def for_zennit(name, module):
    """The module and its canonizers."""
    if name != "mobilenetv2":
        return module, [ResNetCanonizer()]
    for index, block in enumerate(module.features):
        if isinstance(block, InvertedResidual) and block.use_res_connect:
            module.features[index] = Summed(block)
    parts = module.features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), module.classifier
    return nn.Sequential(*parts).eval(), [SequentialMergeBatchNorm()]


def check_against_zennit(real, methods):
    name, network, images = real
    module, canonizers = for_zennit(name, copy.deepcopy(network.module))
    inputs = network.inputs(images)
    torch.testing.assert_close(module(inputs), network.module(inputs), rtol=1e-12, atol=1e-12)
    # Zennit's box would have pixels in what a padding layer adds, where there are none
    pad = nn.ZeroPad2d((0, 1, 0, 1)) if name == "mobilenetv2" else nn.Identity()
    worst = worst_difference(module, network, images, methods, canonizers, pad)
    limits = dict.fromkeys(worst, 1e-6) | UNSTABLE.get(name, {})
    assert all(off < limits[key] for key, off in worst.items()), worst


def test_same_maps_as_zennit(real):
    check_against_zennit(real, QUICK)


@slow
def test_same_maps_as_zennit_by_every_method(real):
    check_against_zennit(real, METHODS)


class Block(nn.Module):
    """A block of a ResNet with a ReLU module for each of its uses."""

    def __init__(self, block):
        super().__init__()
        steps = []
        for number in (1, 2, 3):
            if hasattr(block, f"conv{number}"):
                steps += [getattr(block, f"conv{number}"), getattr(block, f"bn{number}"), nn.ReLU()]
        self.steps, self.shortcut, self.last = nn.Sequential(*steps[:-1]), block.downsample or nn.Identity(), nn.ReLU()

    def forward(self, x):
        return self.last(self.steps(x) + self.shortcut(x))


def for_captum(name, module):
    """No ReLU in place, and a module for each use of one."""
    if name != "mobilenetv2":
        for stage in (module.layer1, module.layer2, module.layer3, module.layer4):
            for index, block in enumerate(stage):
                stage[index] = Block(block)
    for part in module.modules():
        if isinstance(part, nn.ReLU | nn.ReLU6):
            part.inplace = False
    return module.eval()


def captum_maps(method, real, **options):
    name, network, images = real
    module = for_captum(name, copy.deepcopy(network.module))
    inputs = network.inputs(images)
    torch.testing.assert_close(module(inputs), network.module(inputs), rtol=1e-12, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum tells that it sets hooks and requires gradients
        found = getattr(captum.attr, method)(module).attribute(
            inputs.clone().requires_grad_(), target=network.predict(images), **options
        )
    return found.detach()


def assert_same_maps(found, expected):
    assert float((found - expected).abs().max()) < 1e-9 * float(expected.abs().max())


def test_same_gradients_as_captum(real):
    _, network, images = real
    saliency = captum_maps("Saliency", real, abs=False)
    assert_same_maps(hp.explain(network, images, "sensitivity-l2"), saliency.square().sum(dim=1).sqrt())
    product = captum_maps("InputXGradient", real).sum(dim=1)
    assert_same_maps(hp.explain(network, images, "gradient-x-input"), product)


def test_same_deconvolution_as_captum(real):
    name, network, images = real
    if name == "mobilenetv2":
        pytest.skip("Captum's Deconvolution knows nn.ReLU and takes a ReLU6 for linear")
    signal = captum_maps("Deconvolution", real)
    assert_same_maps(hp.explain(network, images, "deconvolution-l2"), signal.square().sum(dim=1).sqrt())
