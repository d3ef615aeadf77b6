"""Any number of channels and any floating type, wherever an image goes."""

import pytest
import torch
from PIL import Image
from torch import nn

import heatproof as hp
from heatproof import InputError

METHODS = ["gradient-x-input", "lrp-epsilon", "lrp-alphabeta", "sensitivity-l2", "deconvolution-linf", "sobel"]
COUNTS = [1, 2, 4, 6, 11, 12]
REPLACEMENTS = ["uniform", "dirichlet", "constant", "blur", "black", "grey", "mean-colour", "histogram", "road"]


def net(channels, dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)
        return nn.Sequential(*layers).to(dtype)


def images(channels):
    return torch.rand(3, channels, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", COUNTS)
def test_a_network_of_any_number_of_channels_is_compared(channels, tmp_path):
    network = hp.Network(net(channels))
    study = hp.compare(
        network, images(channels), METHODS[1:3], regions=4, repeats=1, lerf=True, audit=1, protocol="samek2017"
    )
    study.report(tmp_path / "report.html")
    study.save(tmp_path / "run")
    assert hp.explain(network, images(channels), "lrp-alphabeta").shape == (3, 16, 16)
    others = hp.compare_replacements(network, images(channels), ["blur", "uniform"], regions=4, repeats=1)
    others.save(tmp_path / "other")


@pytest.mark.parametrize("channels", COUNTS)
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_replacements_of_any_number_of_channels(channels, replacement):
    network = hp.Network(net(channels))
    given = {"regions": "slic[segments=9]" if replacement == "black" else 4, "repeats": 2}
    curves = hp.perturb(network, images(channels), order="random", replacement=replacement, **given)
    assert bool(curves.scores.isfinite().all())


def test_each_channel_has_its_mean_and_standard_deviation():
    mean, std = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    preprocessing = hp.Preprocessing(mean=mean, std=std)
    expected = (images(6) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(preprocessing.normalise(images(6)), expected)
    with pytest.raises(InputError, match=r"shape \(N, 6, H, W\), got .* \(3, 4, 16, 16\)"):
        preprocessing.normalise(images(4))
    with pytest.raises(InputError, match="pictures have 3 channels, or 1 where mean and std have one value; got 6"):
        preprocessing.fit(Image.new("RGB", (8, 8)))


def test_images_of_another_number_of_channels_than_the_network():
    with pytest.raises(InputError, match=r"images of shape \(4, 16, 16\) \(C, H, W\): RuntimeError: .* 3 channels"):
        hp.explain(hp.Network(net(3)), images(4), "lrp-epsilon")


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float64, 1e-5), (torch.float32, 0), (torch.float16, 0.02), (torch.bfloat16, 0.1)]
)
@pytest.mark.parametrize("method", METHODS)
def test_any_floating_type(dtype, near, method):
    expected = hp.explain(hp.Network(net(3)), images(3), method)
    found = hp.explain(hp.Network(net(3, dtype)), images(3), method)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=near * float(expected.abs().max()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_any_floating_type_is_compared(dtype):
    study = hp.compare(hp.Network(net(3, dtype)), images(3), METHODS, regions=4, repeats=1, protocol="samek2017")
    assert study.verdict
