"""Networks evaluated in two stages: large maps of few images at once give the same scores."""

import pytest
import torch
from torch import nn
from torchvision import models

from heatproof import Network
from heatproof.network.graph import FEW, LARGE, MANY

SIDE = 80  # 64 channels of which are a large map
SHAPE = (3, SIDE, SIDE)


class Residual(nn.Module):
    """Large maps, whose last one is read twice, then small ones."""

    def __init__(self):
        super().__init__()
        self.begin, self.branch = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
        self.end = nn.Sequential(
            nn.MaxPool2d(4), nn.Conv2d(64, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)
        )

    def forward(self, images):
        begun = self.begin(images).relu()
        return self.end(begun + self.branch(begun))


class AllLarge(nn.Module):
    """The last map is large, and the scores are read from two values."""

    def __init__(self):
        super().__init__()
        self.maps, self.head = nn.Conv2d(3, 64, 3, padding=1), nn.Linear(64, 5)

    def forward(self, images):
        return self.head(self.maps(images).mean((2, 3))) * images.mean((1, 2, 3))[:, None]


def network_of(module, dtype=torch.float64):
    torch.manual_seed(0)
    return Network(module().to(dtype).eval())


def images_of(count):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def staged_names(graph):
    first, rest = graph.stages
    return [node.name for node in first.nodes], [node.name for node in rest.nodes]


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 7])
def test_scores_do_not_depend_on_stages(count):
    network, images = network_of(Residual), images_of(count)
    assert network.graph(SHAPE).stages
    expected = network.module(images)
    torch.testing.assert_close(network.logits(images), expected, rtol=0, atol=1e-13)
    one_by_one = torch.cat([network.logits(image[None]) for image in images])
    torch.testing.assert_close(network.logits(images), one_by_one, rtol=0, atol=1e-13)


def test_the_first_stage_ends_behind_the_last_large_map_where_one_value_is_left():
    graph = network_of(Residual).graph(SHAPE)
    first, rest = staged_names(graph)
    assert [graph.shapes[name] for name in first][-1] == (64, SIDE, SIDE)
    assert graph.shapes[rest[0]] == (64, SIDE // 4, SIDE // 4)
    assert len(first) + len(rest) == len(graph)


def test_large_maps_are_computed_of_few_images_at_once():
    network, seen = network_of(Residual), []
    graph = network.graph(SHAPE)
    evaluate = type(graph).evaluate_node
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(graph), "evaluate_node", lambda self, node, *inputs, **more: seen.append(
            (len(inputs[0]), node.shape)) or evaluate(self, node, *inputs, **more))  # fmt: skip
        graph.evaluate(images_of(7))
    large = [count for count, shape in seen if shape == (64, SIDE, SIDE)]
    assert max(large) == FEW
    assert sum(large) == 7 * 4
    assert {count for count, shape in seen if shape[-1] < SIDE} == {7}


def test_no_stages_where_nothing_is_large_or_nothing_follows_or_there_is_attention():
    assert network_of(AllLarge).graph(SHAPE).stages is None
    assert network_of(Residual).graph((3, SIDE - 9, SIDE - 9)).stages is None
    graph = Network(models.VisionTransformer(SIDE, 2, 1, 1, 16, 256)).graph(SHAPE)
    assert graph.whole.largest_value > LARGE
    assert graph.stages is None


def test_batches_hold_many_images_within_the_memory():
    network = network_of(Residual, torch.float32)
    assert network.batch_size(SHAPE, 2**40) == MANY
    sizes = [network.batch_size(SHAPE, 2**power) for power in range(34)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    first, rest = network.graph(SHAPE).stages
    image, large, pooled = 3 * SIDE**2, 64 * SIDE**2, 64 * SIDE**2 // 16
    assert first.peak_values == 3 * large
    assert rest.peak_values == large + pooled
    fixed, each = 4 * 2 * FEW * first.peak_values, 4 * 2 * (rest.peak_values + image)
    assert network.batch_size(SHAPE, fixed + 5 * each) == 5
    assert network.batch_size(SHAPE, fixed + 5 * each - 1) == 4
