"""AOPC as a metric of torchmetrics agrees with the function, however images are split."""

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.training.hook import HeatmapQuality

torchmetrics = pytest.importorskip("torchmetrics", reason='needs pip install "heatproof[training]"')
from heatproof.training import AOPC  # noqa: E402


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).random((7, 3, 18, 18), dtype=np.float32))


def curves_of(network, images, order="morf", **options):
    heatmaps = hp.explain(network, images, "gradient-x-input")
    return hp.perturb(network, images, heatmaps, order=order, repeats=2, regions=6, **options)


@pytest.mark.parametrize("sizes", [[7], [3, 4], [1, 1, 5]])
def test_it_is_the_mean_of_the_function(network, images, sizes):
    metric = AOPC()
    for batch in images.split(sizes):
        metric.update(curves_of(network, batch))
    torch.testing.assert_close(metric.compute(), hp.aopc(curves_of(network, images)).float().mean())
    metric.reset()
    assert int(metric.count) == 0


def test_above_the_random_order(network, images):
    metric = AOPC()
    morf, random = curves_of(network, images), curves_of(network, images, "random")
    metric.update(morf, random)
    torch.testing.assert_close(metric.compute(), (hp.aopc(morf) - hp.aopc(random)).float().mean())


def test_processes_with_different_numbers_of_images(network, images):
    """What torchmetrics does when processes meet: their states are added up."""
    parts = [AOPC(), AOPC()]
    for part, batch in zip(parts, images.split([2, 5]), strict=True):
        part.update(curves_of(network, batch))
    parts[0].merge_state(parts[1])
    torch.testing.assert_close(parts[0].compute(), hp.aopc(curves_of(network, images)).float().mean())
    assert {name: reduce.__name__ for name, reduce in parts[0]._reductions.items()} == {
        "total": "dim_zero_sum",
        "count": "dim_zero_sum",
    }


def test_forward_gives_the_batch_and_adds_it(network, images):
    metric = AOPC()
    first, second = curves_of(network, images[:3]), curves_of(network, images[3:])
    torch.testing.assert_close(metric(first), hp.aopc(first).float().mean())
    metric(second)
    torch.testing.assert_close(metric.compute(), hp.aopc(curves_of(network, images)).float().mean())


def test_by_hand():
    """One black pixel after the other of an image of ones, with a network that adds them up."""

    class Brightness(nn.Module):
        def forward(self, images):
            total = images.sum(dim=(1, 2, 3))
            return torch.stack([total, -total], dim=1)

    images, preprocessing = torch.ones(1, 1, 2, 2), hp.Preprocessing(mean=(0.0,), std=(1.0,))
    network = hp.Network(Brightness(), preprocessing=preprocessing)
    metric = AOPC()
    metric.update(hp.perturb(network, images, images[:, 0], regions=1, replacement="black", repeats=1))
    assert float(metric.compute()) == pytest.approx((0 + 1 + 2 + 3 + 4) / 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"order": "lerf"}, "lower is better"), ({"score": "probability"}, "must share score"), ({"steps": 3}, "steps")],
)
def test_what_cannot_be_added(network, images, options, message):
    metric = AOPC()
    metric.update(curves_of(network, images))
    with pytest.raises(hp.InputError, match=message):
        metric.update(curves_of(network, images, **options))


def test_it_can_be_among_others(network, images):
    assert AOPC.higher_is_better
    metrics = torchmetrics.MetricCollection({"AOPC": AOPC()})
    metrics.update(curves_of(network, images))
    assert set(metrics.compute()) == {"AOPC"}


def test_the_hook_agrees(network, images):
    found = HeatmapQuality(images, regions=6, scored=9, method="gradient-x-input", prefix="")(network.module)
    metric = AOPC()
    heatmaps = hp.explain(network, images, "gradient-x-input")
    metric.update(hp.perturb(network, images, heatmaps, repeats=1, regions=6))
    assert float(metric.compute()) == pytest.approx(found["aopc"], abs=1e-5)
