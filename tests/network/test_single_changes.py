"""Scores of images of which one region at a time has changed, against evaluating each such image in full."""

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network.incremental import single_changes
from heatproof.network.incremental.planner import Planner


def network():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.GELU(), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    return hp.Network(module.double())


def grid(height, width, across):
    rows, columns = (torch.arange(size) * across // size for size in (height, width))
    return rows[:, None] * across + columns[None, :]


@pytest.mark.parametrize("at_once", [1, 4, 100])
@pytest.mark.parametrize(("height", "width", "across"), [(16, 16, 4), (19, 17, 3), (11, 13, 1)])
def test_each_region_is_changed_alone(height, width, across, at_once, monkeypatch):
    monkeypatch.setattr(Planner, "trajectories_at_once", lambda *_: at_once)
    images, others = torch.rand(2, 3, 3, height, width, dtype=torch.float64)
    regions = grid(height, width, across)
    found = list(single_changes(network().graph((3, height, width)), images, others, regions))
    places = torch.cat([image * across**2 + region for image, region, _ in found])
    assert sorted(places.tolist()) == list(range(3 * across**2))
    changed = [torch.where(regions == r, others[i], images[i]) for i in range(3) for r in range(across**2)]
    expected = network().logits(torch.stack(changed))
    torch.testing.assert_close(torch.cat([scores for *_, scores in found]), expected[places], rtol=1e-9, atol=1e-9)


def test_a_network_without_a_graph_is_evaluated_whole():
    class Drawn(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x.detach().numpy().mean((2, 3)))

    other, images = hp.Network(Drawn()), torch.rand(2, 3, 9, 9)
    assert other.without_graph((3, 9, 9))
    with torch.no_grad():
        found = hp.explain(other, images, "occlusion[across=3]", targets=0)
    assert found.shape == (2, 9, 9)
    assert bool((found[:, :3, :3] == found[:, :1, :1]).all())
