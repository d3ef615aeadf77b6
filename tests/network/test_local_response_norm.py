"""Local response norms: values, every way back and windows, against torch, Captum, slow loops and closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from caffe_layers import norm_across, norm_relevance, norm_within
from captum.attr import Deconvolution
from small_networks import randomised
from torch import nn

import heatproof as hp
from heatproof.heatmaps import METHODS
from heatproof.heatmaps.methods import of_attention
from heatproof.network.caffe.modules import WithinChannelNorm
from heatproof.network.operations import Trace
from heatproof.network.operations.normalization import LocalResponseNorm, norm_within_channels


def maps(*shape, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator) * scale


def record(operation, values):
    return Trace((values,), operation.evaluate(values))


class Normed(nn.Module):
    """AlexNet in small: normalised twice, once by the module and once by the function."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3)
        self.first = nn.ReLU()
        self.norm = nn.LocalResponseNorm(5, alpha=2.0, beta=0.75, k=1.0)
        self.pool = nn.MaxPool2d(2)
        self.two = nn.Conv2d(6, 4, 3)
        self.second = nn.ReLU()
        self.head = nn.Linear(4 * 16, 5)

    def forward(self, x):
        x = self.second(self.two(self.pool(self.norm(self.first(self.one(x))))))
        return self.head(F.local_response_norm(x, 4, alpha=1, k=2.0).flatten(1))


@pytest.fixture(scope="module")
def network():
    return hp.Network(randomised(Normed()))


# --- values


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize(("alpha", "beta", "k"), [(1e-4, 0.75, 1.0), (3.0, 0.5, 2.0), (0.0, 1.0, 1.0)])
def test_values_are_those_of_torch(size, alpha, beta, k):
    values = maps(2, 8, 5, 4)
    found = LocalResponseNorm(size, alpha, beta, k, within=False).evaluate(values)
    torch.testing.assert_close(found, F.local_response_norm(values, size, alpha, beta, k))


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_values_are_those_of_the_slow_loops(size):
    values = maps(1, 6, 5, 4)
    across = LocalResponseNorm(size, 2.0, 0.75, 1.5, within=False).evaluate(values)[0]
    torch.testing.assert_close(across, torch.from_numpy(norm_across(values[0].numpy(), size, 2.0, 0.75, 1.5)))
    within = LocalResponseNorm(size, 2.0, 0.75, 1.0, within=True).evaluate(values)[0]
    torch.testing.assert_close(within, torch.from_numpy(norm_within(values[0].numpy(), size, 2.0, 0.75)))
    torch.testing.assert_close(norm_within_channels(values, size, 2.0, 0.75)[0], within)


def test_module_and_function_are_one_operation_each(network):
    places = [n.place for n in network.graph((3, 14, 14)) if isinstance(n.operation, LocalResponseNorm)]
    assert places == ["norm (local_response_norm)", "the model's own local_response_norm"]
    assert len(network.graph((3, 14, 14))) == 9
    images = torch.rand(2, 3, 14, 14, dtype=torch.float64)
    torch.testing.assert_close(network.logits(images), network.module(images))


def test_norms_within_channels_are_one_operation():
    network = hp.Network(randomised(nn.Sequential(nn.Conv2d(3, 4, 3), WithinChannelNorm(3, 2.0, 0.75), nn.Flatten())))
    (node,) = [n for n in network.graph((3, 8, 8)) if isinstance(n.operation, LocalResponseNorm)]
    assert node.operation == LocalResponseNorm(3, 2.0, 0.75, 1.0, within=True)


def test_torch_itself_is_left_as_it_is(network):
    network.graph((3, 14, 14))
    values = maps(1, 5, 2, 2).requires_grad_()
    assert F.local_response_norm(values, 3).grad_fn is not None


# --- the ways back


def test_gradient_is_autograds(network):
    images = torch.rand(2, 3, 14, 14, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1, 3])
    (expected,) = torch.autograd.grad(network.module(images).gather(1, targets[:, None]).sum(), images)
    torch.testing.assert_close(network.forward_pass(images.detach(), targets).gradient, expected)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_deconvolution_is_captums(network):
    images = torch.rand(2, 3, 14, 14, dtype=torch.float64)
    targets = torch.tensor([1, 3])
    expected = Deconvolution(network.module).attribute(images.clone().requires_grad_(), target=targets)
    torch.testing.assert_close(network.forward_pass(images, targets).deconvolution, expected.detach())


def test_relevance_by_hand():
    """x = (1, 2) with α/n = β = k = 1: for the first output, 1/2 and −2·1·4/36, in all 5/18."""
    operation = LocalResponseNorm(3, 3.0, 1.0, 1.0, within=False)
    values = torch.tensor([1.0, 2.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    arriving = torch.tensor([1.0, 0.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    (found,) = operation.relevance(record(operation, values), arriving, None)
    torch.testing.assert_close(found.flatten(), torch.tensor([1.8, -0.8], dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_relevance_across_channels_is_that_of_the_slow_loop(size):
    values, arriving = maps(1, 7, 2, 3, seed=1), maps(1, 7, 2, 3, seed=2)
    operation = LocalResponseNorm(size, 2.0, 0.75, 1.5, within=False)
    (found,) = operation.relevance(record(operation, values), arriving, None)

    def around(index):
        first, last = max(0, index[0] - size // 2), min(6, index[0] + (size - 1) // 2)
        return [(channel, *index[1:]) for channel in range(first, last + 1)]

    expected = norm_relevance(values[0].numpy(), arriving[0].numpy(), around, 2.0 / size, 0.75, 1.5)
    torch.testing.assert_close(found[0], torch.from_numpy(expected))


def test_relevance_within_channels_is_that_of_the_slow_loop():
    values, arriving = maps(1, 2, 5, 4, seed=1), maps(1, 2, 5, 4, seed=2)
    operation = LocalResponseNorm(3, 2.0, 0.75, 1.0, within=True)
    (found,) = operation.relevance(record(operation, values), arriving, None)

    def around(index):
        channel, row, column = index
        rows, columns = range(max(0, row - 1), min(5, row + 2)), range(max(0, column - 1), min(4, column + 2))
        return [(channel, y, x) for y in rows for x in columns]

    expected = norm_relevance(values[0].numpy(), arriving[0].numpy(), around, 2.0 / 9, 0.75, 1.0)
    torch.testing.assert_close(found[0], torch.from_numpy(expected))


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("beta", [0.25, 0.75, 1.0, 5.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_relevance_is_conserved_and_bounded(within, beta, scale):
    """Whatever the values: at most (1 − 2/e)⁻¹ < 4 times as much as came goes to a value itself."""
    values, arriving = maps(2, 6, 5, 5, scale=scale), maps(2, 6, 5, 5, seed=1)
    operation = LocalResponseNorm(3, 2.0, beta, 1.0, within=within)
    (found,) = operation.relevance(record(operation, values), arriving, None)
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), arriving.sum(dim=(1, 2, 3)))
    assert float(found.abs().sum()) < 7 * float(arriving.abs().sum())


def test_zeros_get_no_relevance_where_none_arrives():
    """So a ReLU before it may take the place of the value that it reads."""
    values = maps(1, 6, 4, 4).clamp(min=0)
    arriving = maps(1, 6, 4, 4, seed=1) * (values > 0)
    operation = LocalResponseNorm(5, 2.0, 0.75, 1.0, within=False)
    (found,) = operation.relevance(record(operation, values), arriving, None)
    assert not bool(found[values == 0].any())


def test_relevance_without_neighbours_passes_unchanged():
    operation = LocalResponseNorm(1, 2.0, 0.75, 1.0, within=False)
    values, arriving = maps(1, 6, 4, 4), maps(1, 6, 4, 4, seed=1)
    torch.testing.assert_close(operation.relevance(record(operation, values), arriving, None)[0], arriving)


def test_relus_before_it_are_evaluated_in_place(network):
    graph = network.graph((3, 14, 14))
    assert len(graph.in_place_recorded) == 2


@pytest.mark.parametrize("method", [name for name in METHODS if not of_attention(name)])
def test_every_method_goes_through_it(method, network):
    images = torch.rand(2, 3, 14, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = hp.explain(network, images, method)
    assert bool(found.isfinite().all())
    assert method == "constant" or float(found.abs().max()) > 0


@pytest.mark.parametrize("layer", [nn.LocalResponseNorm(5, alpha=2.0), WithinChannelNorm(3, 2.0, 0.75)])
def test_steps_are_evaluated_again_exactly(layer):
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), layer, nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(6, 8, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    network = hp.Network(randomised(module))
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    heatmaps = torch.rand(2, 32, 32)
    curves = [
        hp.perturb(network, images, heatmaps, regions=4, steps=12, repeats=1, seed=0, engine=engine).scores
        for engine in ("full", "incremental")
    ]
    np.testing.assert_allclose(*[np.asarray(scores) for scores in curves], rtol=1e-10)
