"""The logit of one class, from what the last layer reads: against the logits of the whole network."""

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network.readout import split_readout

SHAPE = (3, 12, 12)


def convolutional(*, bias=True):
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 1, bias=bias), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


def dense(*, bias=True):
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(150, 5, bias=bias))


class Sums(nn.Module):
    """Scores of two layers, added."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(432, 5), nn.Linear(432, 5)

    def forward(self, images):
        return self.one(images.flatten(1)) + self.two(images.flatten(1))


class Shared(nn.Module):
    """The last layer's scores are also read by something else."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(432, 5), nn.Linear(5, 5)

    def forward(self, images):
        first = self.one(images.flatten(1)).relu()
        return first * self.two(first).sigmoid()


def graph_of(module):
    return hp.Network(module).graph(SHAPE)


@pytest.mark.parametrize("module", [convolutional(), convolutional(bias=False), dense(), dense(bias=False)])
def test_one_logit_is_that_of_the_whole_network(module):
    graph = graph_of(module.double())
    features, readout = split_readout(graph)
    images, targets = torch.rand(7, *SHAPE, dtype=torch.float64), torch.tensor([0, 4, 2, 2, 1, 3, 0])
    found = readout.logit(features.evaluate(images), targets)
    torch.testing.assert_close(found, graph.evaluate(images).gather(1, targets[:, None])[:, 0])
    assert found.dtype == torch.float64
    assert readout.classes == 5


def test_the_features_end_before_the_last_layer():
    graph = graph_of(convolutional())
    features, readout = split_readout(graph)
    assert features.shapes[features.output] == (6, 10, 10)
    assert len(features) == 2
    assert [type(operation).__name__ for operation in readout.after] == ["ReLU", "MeanPool", "Flatten"]


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # reads several positions
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 6, 1, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 5, 1), nn.Flatten()),  # several outputs of each channel
        nn.Sequential(nn.Conv2d(3, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # nothing before it
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),  # no layer at all
        Sums(),
        Shared(),
    ],
)
def test_nothing_is_split_off_where_classes_meet_or_positions_do(module):
    assert split_readout(graph_of(module)) is None


@pytest.mark.parametrize("target", [-1, 5])
def test_classes_that_are_not_there_are_refused(target):
    images = torch.rand(1, *SHAPE)
    with pytest.raises(hp.InputError, match="targets must lie in 0 … 4"):
        hp.perturb(
            hp.Network(convolutional()), images, images.sum(1), targets=torch.tensor([target]), regions=4,
            engine="incremental", repeats=1,
        )  # fmt: skip
