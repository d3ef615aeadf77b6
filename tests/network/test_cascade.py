"""Layers in the order in which a network evaluates them, and the cascade that shuffles their weights."""

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network.cascade import cascade

SHAPE = (3, 8, 8)


class Backwards(nn.Module):
    """Registers its layers the other way round than it evaluates them."""

    def __init__(self):
        super().__init__()
        self.last, self.norm, self.first = nn.Linear(4, 3), nn.BatchNorm2d(4), nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.last(self.norm(self.first(images)).relu().mean(dim=(2, 3)))


class WithoutGraph(Backwards):
    """Cannot be exported."""

    def forward(self, images):
        return super().forward(images) * (1 if images.detach().cpu().numpy().sum() > -1e9 else 2)


def network(module):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(module().eval())


def test_layers_are_in_the_order_of_evaluation():
    assert [str(step) for step in network(Backwards).cascade(SHAPE, 10)] == ["1 of 2: last", "2 of 2: first"]


def test_a_batch_norm_goes_with_the_layer_before_it():
    found = hp.Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2)).eval())
    first, second = found.cascade(SHAPE, 10)
    assert first.parameters == {"3.weight", "3.bias"}
    assert second.parameters - first.parameters == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_without_a_graph_layers_are_in_the_order_of_registration():
    found = network(WithoutGraph)
    assert found.without_graph(SHAPE)
    assert [step.last for step in found.cascade(SHAPE, 10)] == ["first", "norm", "last"]


@pytest.mark.parametrize(("layers", "most"), [(1, 10), (7, 3), (12, 10), (26, 10)])
def test_the_last_step_has_all_layers_and_steps_are_even(layers, most):
    names = {f"layer{number}": (f"layer{number}.weight",) for number in range(layers)}
    steps = cascade(names, most)
    assert len(steps) == min(most, layers)
    assert steps[-1].parameters == {name for layer in names.values() for name in layer}
    sizes = [after.layers - before for before, after in zip([0, *(s.layers for s in steps)], steps, strict=False)]
    assert max(sizes) - min(sizes) <= 1
    assert steps[-1].last == "layer0"


def test_each_step_shuffles_its_layers_and_leaves_the_others():
    found = network(Backwards)
    before = dict(found.module.named_parameters())
    for step in found.cascade(SHAPE, 10):
        after = dict(found.randomised(0, step.parameters).module.named_parameters())
        for name, parameter in before.items():
            assert torch.equal(after[name], parameter) or name in step.parameters
            torch.testing.assert_close(after[name].flatten().sort().values, parameter.flatten().sort().values)
    everything = found.randomised(0)
    last = found.randomised(0, step.parameters)
    assert last.fingerprint() == everything.fingerprint() != found.fingerprint()
