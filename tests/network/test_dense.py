"""Dense layers over many positions: the same as a matrix product, forward and back, however they are computed."""

import pytest
import torch
import torch.nn.functional as F

from heatproof.network.operations import weighted
from heatproof.network.operations.weighted import POSITIONS, Linear


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
    monkeypatch.setattr(weighted, "_over_positions", lambda inputs, *_: asked.append(inputs.shape))
    layer = Linear(drawn(10, 24), None)
    layer.evaluate(drawn(2, POSITIONS // 2 - 1, 24))
    layer.evaluate(drawn(POSITIONS, 24))
    layer.evaluate(drawn(2, POSITIONS // 2, 24))
    assert asked == [(2, POSITIONS // 2, 24)]


def test_other_precisions_are_computed_as_before():
    layer = Linear(drawn(10, 24, dtype=torch.float64), drawn(10, dtype=torch.float64))
    inputs = drawn(2, POSITIONS, 24, dtype=torch.float64)
    assert torch.equal(layer.evaluate(inputs), F.linear(inputs, layer.weight, layer.bias))
