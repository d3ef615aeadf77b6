"""What nobody reads any more is free at once, not when the garbage collector comes: memory is planned on that."""

import gc

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.heatmaps import explain_batches
from heatproof.perturbation import Protocol, perturb_orders
from heatproof.perturbation.orders import random_orders
from heatproof.perturbation.regions import grid

COUNT = 7  # images, by which their activations are known


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3),
        )  # fmt: skip
    return hp.Network(module.eval())


def explained(network, images):
    methods = ("lrp-epsilon", "lrp-alphabeta", "sensitivity-l2", "deconvolution-l2")
    return [batch.targets for batch in explain_batches(network, images, {name: name for name in methods})]


def perturbed(engine):
    def call(network, images):
        regions = grid(18, 18, 6).expand(len(images), 18, 18)
        ids = [f"{number}" for number in range(len(images))]
        orders = {"random": random_orders(regions, steps=4, repeats=1, seed=0, ids=ids)}
        protocol = Protocol(regions=regions, steps=4, repeats=1, engine=engine)
        return perturb_orders(network, images, orders, torch.zeros(len(images), dtype=torch.long), protocol, ids)

    return call


def activations():
    return {id(found): found for found in gc.get_objects() if type(found) is torch.Tensor and found.ndim == 4}


@pytest.mark.parametrize(
    "call",
    [hp.Network.predict, explained, perturbed("full"), perturbed("incremental")],
    ids=["predicting", "explaining", "perturbing in full", "perturbing on windows"],
)
def test_no_activation_outlives_its_last_reader(network, call):
    images = torch.rand(COUNT, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    call(network, images)
    gc.collect()
    gc.disable()
    try:
        before = activations()
        call(network, images)
        left = [tuple(found.shape) for key, found in activations().items() if key not in before]
    finally:
        gc.enable()
    assert left == []
