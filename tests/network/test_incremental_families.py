"""Networks that people use follow a hundred changes as exactly as they compute, with random and with real weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from random_networks import Followed, balanced, rectangles
from small_networks import narrowed
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.data import built_in_photographs
from heatproof.network.incremental import leanest, whole_plan
from heatproof.network.loading import OFFLINE_DEFAULT

slow = pytest.mark.slow
WEIGHTS = Path(__file__).parents[2].parent / "shared" / "weights" / "squeezenet1_0_imagenet.safetensors"
IMAGENET = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CHECKED = (1, 2, 10, 50, 100)
REGION = 9
TOLERANCE = 1e-5  # of the range of the logits

QUICK = [
    ("alexnet", 112, 127), ("squeezenet1_1", 128, 128), ("resnet18", 112, 112), ("mobilenet_v2", 113, 97),
    ("shufflenet_v2_x0_5", 128, 129), ("mnasnet0_5", 128, 128), ("efficientnet_b0", 96, 96),
    ("regnet_y_400mf", 112, 112), ("googlenet", 97, 97), ("densenet121", 65, 79), ("convnext_tiny", 64, 64),
    ("vgg11", 64, 64),
]  # fmt: skip
ALL = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet1_0",
    "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d",
    "wide_resnet50_2", "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg16_bn",
]  # fmt: skip
ODD = ["alexnet", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2", "resnet18", "squeezenet1_0"]
LARGE = [(name, 299 if name == "inception_v3" else 224) for name in ALL] + [(n, s) for n in ODD for s in (225, 227)]


def network_of(name, shape):
    """One of torchvision's with random weights, balanced so that what goes in at the front comes out at the end."""
    options = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)  # stochastic depth and dropout draw while batch norms are measured
        module = models.get_model(name, weights=None, **options)
        if name.startswith(("alexnet", "vgg")):
            module = narrowed(module)
        for key, parameter in module.named_parameters():
            if "layer_scale" in key:  # ConvNeXt starts its blocks at 1e-6, where no error would be seen
                nn.init.uniform_(parameter, 0.2, 0.5)
        return hp.Network(balanced(module, shape).float(), name=name)


def photographs(network, count=2):
    """(count, C, H, W) photographs, as the network gets them."""
    pictures = [Image.open(path).convert("RGB") for path in built_in_photographs()[:count]]
    pixels = [np.asarray(network.preprocessing.fit(picture), dtype=np.float32) / 255 for picture in pictures]
    return network.inputs(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))


def plans_of(network, shape):
    whole = whole_plan(network.graph(shape), rectangles(shape[1:], REGION, torch.Generator().manual_seed(0), random=60))
    return {"whole": whole, "leanest": leanest(whole)}


def assert_follows(plan, images, *, steps, checked=CHECKED, **options):
    """As exactly as 1e-5 of the range of the logits, and ten times more exactly than if a change had been missed."""
    followed = Followed(plan, images, sequences=len(images), **options)
    with torch.inference_mode():
        untouched = plan.graph.evaluate(images.clone())
    found, expected = followed.outputs(steps, checked)
    spread = float(expected.max() - expected.min())
    error = float((found - expected).abs().max()) / spread
    assert error <= TOLERANCE, f"{error:.3g} of the range of the logits, {spread:.3g}"
    every = torch.cat([untouched, expected]).reshape(-1, *untouched.shape)
    moved = float(every.diff(dim=0).abs().amax(dim=2).amin()) / spread  # the least of all steps and sequences
    assert moved > TOLERANCE, f"the changes hardly change the logits: {moved:.3g} of their range"
    assert error <= moved / 10, f"{error:.3g} where the least change is {moved:.3g} of the range of the logits"


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "height", "width"), QUICK, ids=[name for name, *_ in QUICK])
def test_families_follow_some_changes(name, height, width):
    shape = (3, height, width)
    for plan in plans_of(network_of(name, shape), shape).values():
        assert_follows(plan, noise(2, *shape), steps=15, checked=(1, 2, 15), windows=2)


@slow
@pytest.mark.parametrize(("name", "size"), LARGE, ids=[f"{name}-{size}" for name, size in LARGE])
def test_families_follow_a_hundred_changes(name, size):
    shape = (3, size, size)
    for plan in plans_of(network_of(name, shape), shape).values():
        assert_follows(plan, noise(2, *shape), steps=100)


@pytest.mark.parametrize("kind", ["whole", "leanest"])
def test_the_default_network_follows_a_hundred_changes_of_photographs(kind):
    network = hp.load_network(OFFLINE_DEFAULT)
    images = photographs(network)
    assert_follows(plans_of(network, tuple(images.shape[1:]))[kind], images, steps=100)


@pytest.mark.parametrize("kind", ["whole", "leanest"])
def test_a_squeezenet_with_imagenet_weights_follows_a_hundred_changes_of_photographs(kind):
    if not WEIGHTS.exists():
        pytest.skip(f"needs the weights {WEIGHTS}")
    network = hp.load_network("torchvision:squeezenet1_0", weights=WEIGHTS, preprocessing=IMAGENET)
    images = photographs(network)
    assert_follows(plans_of(network, tuple(images.shape[1:]))[kind], images, steps=100)
