"""Dense layers over many positions: the same as a matrix product, forward and back, however they are computed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from heatproof.network import Network
from heatproof.network.operations import dense
from heatproof.network.operations.dense import POSITIONS, Linear


def drawn(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=dtype)


LAYOUTS = {
    "tokens": lambda count: drawn(2, count // 2, 24),
    "map": lambda count: drawn(1, 2, count // 2, 24),
    "transposed tokens": lambda count: drawn(count // 2, 2, 24).transpose(0, 1),
    "strided": lambda count: drawn(2, count // 2, 48)[..., ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [POSITIONS - 2, POSITIONS])
@pytest.mark.parametrize("biased", [True, False])
def test_equals_the_matrix_product(layout, count, biased):
    inputs, bias = LAYOUTS[layout](count), drawn(10) if biased else None
    layer = Linear(drawn(10, 24), bias)
    found, expected = layer.evaluate(inputs), F.linear(inputs.double(), layer.weight.double(), None).float()
    expected = expected if bias is None else expected + bias
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous()
    signal = drawn(*found.shape)
    pulled = layer.pull(signal, layer.weight, inputs)
    torch.testing.assert_close(pulled, (signal.double() @ layer.weight.double()).float(), rtol=1e-5, atol=1e-5)


def test_many_positions_in_float32_go_through_onednn(monkeypatch):
    asked = []
    monkeypatch.setattr(dense, "_over_positions", lambda inputs, *_: asked.append(inputs.shape))
    layer = Linear(drawn(10, 24), None)
    layer.evaluate(drawn(2, POSITIONS // 2 - 1, 24))
    layer.evaluate(drawn(POSITIONS, 24))
    layer.evaluate(drawn(2, POSITIONS // 2, 24))
    assert asked == [(2, POSITIONS // 2, 24)]


def test_other_precisions_are_computed_as_before():
    layer = Linear(drawn(10, 24, dtype=torch.float64), drawn(10, dtype=torch.float64))
    inputs = drawn(2, POSITIONS, 24, dtype=torch.float64)
    assert torch.equal(layer.evaluate(inputs), F.linear(inputs, layer.weight, layer.bias))


BIASES = {
    "a column of a table": lambda m: m.table[:, 1],
    "every other value": lambda m: m.table.flatten()[::2],
    "expanded": lambda m: m.table[0, :1].expand(6),
    "one value": lambda m: m.table[0, :1],
    "a number": lambda m: m.table[0, 0],
}
WAYS = {
    "linear": lambda tokens, weight, bias: F.linear(tokens, weight, bias),
    "addmm": lambda tokens, weight, bias: torch.addmm(bias, tokens.mean(1), weight.t())[:, None],
    "addmm, one row": lambda tokens, weight, bias: torch.addmm(bias[None], tokens.mean(1), weight.t())[:, None],
}


class Tokens(nn.Module):
    """A dense layer over 64 tokens, whose bias may lie anywhere in memory."""

    def __init__(self, bias, way):
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(6, 5)
        self.weight, self.table = nn.Parameter(drawn(6, 8)), nn.Parameter(drawn(6, 2))
        self.bias, self.way = bias, way

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.head(self.way(tokens, self.weight, self.bias(self)).relu().mean(1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bias", BIASES)
def test_biases_of_any_form_in_batches_of_any_size(bias, way):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Tokens(BIASES[bias], WAYS[way])
    network, images = Network(module), torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert network.without_graph((3, 32, 32)) is None
    with torch.no_grad():
        expected = module(images)
    for size in (1, 2, POSITIONS // 64 - 1, POSITIONS // 64, 16):
        found = torch.cat([network.logits(batch) for batch in images.split(size)])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
