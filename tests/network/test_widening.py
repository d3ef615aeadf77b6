"""Where branches meet, narrow ones are evaluated as wide as the widest, if that spares keeping them."""

import pytest
import torch
from random_networks import Followed, rectangles
from torch import nn

import heatproof as hp
from heatproof.network.incremental import whole_plan

SHAPE = (3, 24, 27)


class Fire(nn.Module):
    """A squeeze of S channels, then a 1 × 1 and a 3 × 3 branch side by side, as in SqueezeNet."""

    def __init__(self, squeeze, *, joined="side by side", kernel=3):
        super().__init__()
        self.squeeze = nn.Conv2d(3, squeeze, 3)
        self.narrow, self.wide = nn.Conv2d(squeeze, 8, 1), nn.Conv2d(squeeze, 8, kernel, padding=kernel // 2)
        self.joined = joined
        self.head = nn.Linear(16 if joined == "side by side" else 8, 4)

    def forward(self, images):
        squeezed = self.squeeze(images).relu()
        branches = [self.narrow(squeezed).relu(), self.wide(squeezed).relu()]
        value = torch.cat(branches, dim=1) if self.joined == "side by side" else branches[0] + branches[1]
        return self.head(value.mean(dim=(2, 3)))


def plan_of(module):
    places = rectangles(SHAPE[1:], 5, torch.Generator().manual_seed(0))
    return whole_plan(hp.Network(module.double()).graph(SHAPE), places)


def windows(plan):
    """Sizes of windows by operation, in order, of the convolutions."""
    return [step.dirty.size for step in plan.steps if hasattr(step.node.operation, "stride")]


@pytest.mark.parametrize("joined", ["side by side", "added"])
def test_a_narrow_branch_is_widened_and_not_kept(joined):
    plan = plan_of(Fire(4, joined=joined))
    assert windows(plan) == [(7, 7), (9, 9), (9, 9)]
    # kept are what both branches read, the image, and what the tail reads: neither branch
    assert [plan.shapes[name][0] for name, _ in plan.kept] == [4, 3, 16 if joined == "side by side" else 8]


def test_where_many_channels_would_be_multiplied_again_it_stays_narrow():
    """More by 200 · 8 · (81 − 49) multiply-adds, saved are 8 · (49 + 81) values but 200 · 32 more are read."""
    plan = plan_of(Fire(200))
    assert windows(plan) == [(7, 7), (7, 7), (9, 9)]
    assert 8 in [plan.shapes[name][0] for name, _ in plan.kept]


def test_where_nobody_else_keeps_what_it_reads_it_stays_narrow():
    assert windows(plan_of(Fire(4, kernel=1))) == [(7, 7), (7, 7), (7, 7)]


@pytest.mark.parametrize("squeeze", [4, 200])
@pytest.mark.parametrize("joined", ["side by side", "added"])
def test_both_follow_changes(squeeze, joined):
    plan = plan_of(Fire(squeeze, joined=joined))
    images = torch.randn(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found, expected = Followed(plan, images).outputs(6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    assert not torch.equal(expected[0], expected[-1])
