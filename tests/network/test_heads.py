"""A network with another last layer: where it reads what, and that all else stays as it is."""

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network.heads import features, head_reads, with_head

CLASSES = ("without", "with")
SHAPE = (3, 8, 8)


class Branching(nn.Module):
    """A network that cannot be exported: which way it goes depends on the values."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(3 * 8 * 8, 4)

    def forward(self, images):
        return (2.0 if images.sum() > 0 else 1.0) * self.last(images.flatten(1))


def dense(*after):
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(6, 5), *after,
    )  # fmt: skip


def convolution_last():
    """As SqueezeNet: the last weighted layer is a convolution, behind which maps are averaged."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


NETWORKS = {
    "dense": (dense, "features", 6), "softmax": (lambda: dense(nn.Softmax(dim=1)), "features", 6),
    "function behind it": (lambda: dense(nn.Hardtanh()), "scores", 5),
    "convolution": (convolution_last, "scores", 5), "no graph": (Branching, "scores", 4),
}  # fmt: skip


@pytest.fixture(params=NETWORKS)
def made(request):
    make, reads, count = NETWORKS[request.param]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(make(), preprocessing=hp.Preprocessing(mean=(0.4,) * 3, std=(0.2,) * 3)), reads, count


@pytest.fixture(scope="module")
def images():
    return torch.rand(7, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_its_scores_are_the_weighted_sum_of_what_it_reads(made, images):
    network, reads, count = made
    network.check(images)
    assert head_reads(network, SHAPE) == reads
    read = features(network, images)
    assert read.shape == (7, count)
    weight = torch.linspace(-1, 2, count, dtype=torch.float64)
    other = with_head(network, SHAPE, weight, 0.3, CLASSES)
    expected = torch.stack([sum(w * x for w, x in zip(weight, row, strict=True)) + 0.3 for row in read.double()])
    found = other.logits(images)
    torch.testing.assert_close(found.double(), torch.stack([-expected, expected], dim=1), rtol=1e-4, atol=1e-5)
    assert other.class_name(1) == "with"


def test_features_are_what_the_last_layer_multiplies(images):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = dense()
    network = hp.Network(module)
    network.check(images)
    expected = network.logits(images)
    torch.testing.assert_close(
        module[-1].requires_grad_(False)(features(network, images)), expected, rtol=1e-4, atol=1e-6
    )


def test_the_network_stays_as_it_is(made, images):
    network, _, count = made
    before, fingerprint = network.logits(images), network.fingerprint()
    with_head(network, SHAPE, torch.ones(count), 0.0, CLASSES)
    assert torch.equal(network.logits(images), before)
    assert network.fingerprint() == fingerprint


def test_heatmaps_of_both_classes(made, images):
    network, _, count = made
    network.check(images)
    other = with_head(network, SHAPE, torch.linspace(-1, 2, count), 0.3, CLASSES)
    one, two = (hp.explain(other, images, "gradient-x-input", targets=target) for target in (0, 1))
    torch.testing.assert_close(one, -two)


def test_a_head_of_another_network(made, images):
    network, _, count = made
    network.check(images)
    with pytest.raises(hp.InputError, match=f"expected a head that reads {count} values of .*, got one of 9"):
        with_head(network, SHAPE, torch.ones(9), 0.0, CLASSES)
