"""What knows nothing must look like it: a random map has no area between its curves, a constant one no lead."""

from pathlib import Path

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.perturbation import REPLACEMENTS
from heatproof.perturbation.replacements import DROP
from heatproof.results.contrasts import contrasts
from heatproof.results.part import REFERENCE

SHARED = Path(__file__).parents[3] / "shared"
IMAGENET = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
REAL = {
    "squeezenet1_0_imagenet": ("torchvision:squeezenet1_0", "ilsvrc2012-sample/images"),
    "squeezenet1_1_sun27": ("torchvision:squeezenet1_1", "sun397-sample"),
    "squeezenet1_1_miniplaces100": ("torchvision:squeezenet1_1", "miniplaces-val"),
}


def convolutional():
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(4))


def linear():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4))


def averaging():
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )


def network_of(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
        module(torch.zeros(1, 3, 18, 18))
    return hp.Network(module)


def photographs(count):
    """Smooth, as photographs are, so that blurring leaves something."""
    noise = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(noise, size=(18, 18), mode="bilinear")


def check_nulls(network, images, **options):
    """A random map's ABPC with each replacement, and a constant map's AOPC against the random order."""
    names = [name for name in REPLACEMENTS if name != DROP]  # which needs tokens
    areas = hp.compare_replacements(network, images, names, method="random", **options)
    assert set(areas.abpc) == set(names)
    shown = [name for name, area in contrasts(areas.areas).items() if area.significant]
    assert shown == [], f"a random map has an area between its curves with {shown}"
    constant = hp.compare(network, images, ["constant"], audit=0, **options, protocol="samek2017")
    assert not constant.ranking.relative["constant"].significant
    assert not torch.equal(constant.morf["constant"].orders, constant.morf[REFERENCE].orders)


@pytest.mark.parametrize("make", [convolutional, linear, averaging])
def test_small_networks(make):
    check_nulls(network_of(make), photographs(24), regions=6, repeats=2)


@pytest.mark.slow
@pytest.mark.parametrize("weights", REAL)
def test_real_networks(weights):
    spec, folder = REAL[weights]
    file = SHARED / "weights" / f"{weights}.safetensors"
    if not file.is_file() or not (SHARED / "data" / folder).is_dir():
        pytest.skip("needs the weights and pictures beside the checkout (shared)")
    network = hp.load_network(spec, weights=file, preprocessing=IMAGENET)
    paths = sorted((SHARED / "data" / folder).rglob("*.[jJ][pP]*"))
    images = hp.load_images(paths[:: len(paths) // 16][:16], network)
    check_nulls(network, images, regions=27, steps="all", scored=5)
