"""The same function written twice gets the same heatmaps, by every method, and the same scores by both engines.

A function is drawn, and WRITINGS ways to write it; the maps of each pair are compared. A run in CI takes the same
FUNCTIONS each time. ``HEATPROOF_FUZZ=20 pytest tests/network/test_equivalent_writings.py`` tries twenty times as many,
new ones each time.
"""

import itertools
import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_networks import Followed, rectangles
from torch import nn

import heatproof as hp
from heatproof.errors import InputError
from heatproof.heatmaps.methods import METHODS, of_attention
from heatproof.network.backward import interval
from heatproof.network.incremental import leanest, whole_plan

TIMES = int(os.environ.get("HEATPROOF_FUZZ", "1"))
FUNCTIONS, WRITINGS = 80, 8  # 80 × 28 pairs
CHANNELS = 8
SHAPE = (3, 10, 10)  # after a convolution with 3 × 3 kernels: 8 × 8 × 8, where no layout can be told by its sizes
EXACT = 1e-9  # of the largest value of a map
HARD = 1e-6  # torch's gradient of a hard sigmoid has 1/6 in single precision
STABILISED = 1e-3  # where one writing has more denominators, each with its stabiliser
BLIND = ("random", "constant", "centre-gaussian", "sobel")
OWN = [name for name in METHODS if name not in BLIND and not of_attention(name)]
LRP = [name for name in OWN if name.startswith("lrp")]
OPTIONS = [f"{name}[bias=exclude]" for name in LRP]


def between(*shape, low=-1.0, high=1.0):
    return low + (high - low) * torch.rand(shape, dtype=torch.float64)


class Pixelwise(nn.Module):
    """A linear layer over channels: as a convolution, as a dense layer on channels that come last, or as ``x @ W``."""

    def __init__(self, way, inputs=CHANNELS, outputs=CHANNELS):
        super().__init__()
        self.way, self.weight = way, nn.Parameter(between(outputs, inputs))
        self.bias = nn.Parameter(between(outputs, low=0.05, high=0.3) * torch.randint(0, 2, (outputs,)).mul(2).sub(1))

    def forward(self, x):
        if self.way == "convolution":
            return F.conv2d(x, self.weight[:, :, None, None], self.bias)
        if self.way == "convolution, then bias":
            return F.conv2d(x, self.weight[:, :, None, None]) + self.bias[:, None, None]
        if self.way == "along a line":
            return F.conv1d(x.flatten(2), self.weight[:, :, None], self.bias).unflatten(2, x.shape[2:])
        if self.way == "in a volume":
            return F.conv3d(x[:, :, None], self.weight[:, :, None, None, None], self.bias)[:, :, 0]
        last = x.permute(0, 2, 3, 1)
        if self.way == "dense":
            return F.linear(last, self.weight, self.bias).permute(0, 3, 1, 2)
        return (last @ self.weight.t() + self.bias).permute(0, 3, 1, 2)


class Normed(nn.Module):
    """A convolution and a batch norm: as they are, or folded by hand."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False).double()
        self.scale, self.shift = nn.Parameter(between(CHANNELS)), nn.Parameter(between(CHANNELS))
        self.mean, self.variance = nn.Parameter(between(CHANNELS)), nn.Parameter(between(CHANNELS, low=0.5))

    def forward(self, x):
        if self.way == "batch norm":
            return F.batch_norm(self.conv(x), self.mean, self.variance, self.scale, self.shift)
        factor = self.scale / (self.variance + 1e-5).sqrt()
        return F.conv2d(x, self.conv.weight * factor[:, None, None, None], self.shift - self.mean * factor, padding=1)


class Apply(nn.Module):
    """A function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def hard_sigmoid(x):
    return F.relu6(x + 3) / 6


ACTIVATIONS = {
    "relu": [
        nn.ReLU, lambda: nn.ReLU(inplace=True), lambda: Apply(F.relu), lambda: Apply(lambda x: x.clamp(min=0)),
        lambda: Apply(lambda x: torch.where(x > 0, x, 0.0)), lambda: Apply(lambda x: x * (x > 0)),
        lambda: Apply(lambda x: torch.maximum(x, torch.zeros_like(x))), lambda: nn.Threshold(0.0, 0.0),
        lambda: Apply(lambda x: torch.clamp_min(x, 0)),
    ],
    "relu6": [nn.ReLU6, lambda: Apply(lambda x: x.clamp(0, 6)), lambda: nn.Hardtanh(0.0, 6.0)],
    "silu": [nn.SiLU, lambda: Apply(lambda x: x * x.sigmoid()), lambda: Apply(lambda x: x / (1 + torch.exp(-x)))],
    "hard-swish": [
        nn.Hardswish, lambda: Apply(lambda x: x * F.relu6(x + 3) / 6), lambda: Apply(lambda x: x * F.hardsigmoid(x)),
        lambda: Apply(lambda x: x * hard_sigmoid(x)), lambda: Apply(lambda x: x * (x + 3).clamp(0, 6) / 6),
    ],
    "mish": [nn.Mish, lambda: Apply(lambda x: x * torch.tanh(F.softplus(x)))],
    "gelu": [
        nn.GELU, lambda: Apply(lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5))),
        lambda: Apply(lambda x: x * (0.5 + 0.5 * torch.erf(x * 0.5**0.5))),
    ],
    "sigmoid": [
        nn.Sigmoid, lambda: Apply(F.sigmoid), lambda: Apply(lambda x: 1 / (1 + torch.exp(-x))),
        lambda: Apply(lambda x: (1 + torch.exp(-x)).reciprocal()),
        lambda: Apply(lambda x: 0.5 * torch.tanh(x / 2) + 0.5),
    ],
    "tanh": [nn.Tanh, lambda: Apply(torch.tanh), lambda: Apply(lambda x: 2 * torch.sigmoid(2 * x) - 1)],
    "softplus": [nn.Softplus, lambda: Apply(lambda x: torch.log(1 + torch.exp(x)))],
    "hard-sigmoid": [nn.Hardsigmoid, lambda: Apply(hard_sigmoid)],
    "leaky relu": [
        lambda: nn.LeakyReLU(0.125), lambda: Apply(lambda x: torch.maximum(x, 0.125 * x)),
        lambda: Apply(lambda x: torch.where(x < 0, 0.125 * x, x)), lambda: nn.PReLU(init=0.125).double(),
        lambda: nn.PReLU(CHANNELS, init=0.125).double(),
    ],
    "square": [lambda: Apply(torch.square), lambda: Apply(lambda x: x * x), lambda: Apply(lambda x: x**2)],
    "softsign": [nn.Softsign, lambda: Apply(lambda x: x * (1 + x.abs()).reciprocal())],
}  # fmt: skip

HEADS = {
    "mean": [
        lambda x: x.mean((2, 3)), lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
        lambda x: F.avg_pool2d(x, x.shape[-1]).squeeze(3).squeeze(2), lambda x: x.flatten(2).mean(2),
    ],
    "maximum": [
        lambda x: x.amax((2, 3)), lambda x: F.adaptive_max_pool2d(x, 1).flatten(1), lambda x: x.flatten(2).max(2)[0],
        lambda x: F.max_pool2d(x, 8)[:, :, 0, 0],
    ],
}  # fmt: skip

TWO_STEPS = [lambda x: x.mean((2, 3)), lambda x: x.mean(-1).mean(-1), lambda x: x.sum((2, 3)) / 64]

REARRANGED = [
    lambda x: x, lambda x: torch.cat(x.chunk(2, 1), 1), lambda x: torch.cat(x.split(3, 1), 1),
    lambda x: torch.cat([x[:, :3], x[:, 3:]], 1), lambda x: torch.stack(x.unbind(1), 1),
    lambda x: x.flip(1)[:, [7, 6, 5, 4, 3, 2, 1, 0]], lambda x: x.repeat(1, 2, 1, 1)[:, :8],
    lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), lambda x: x.clone(), lambda x: F.dropout(x, training=False),
    lambda x: torch.cat([x, torch.zeros(x.shape[0], 2, 8, 8, dtype=x.dtype)], 1)[:, :8],
    lambda x: F.interpolate(x, scale_factor=2)[:, :, ::2, ::2], lambda x: x.roll(3, 2).roll(-3, 2),
    lambda x: torch.stack([x, x], 0)[1], lambda x: torch.cat([x, x], 0).view(2, *x.shape)[0],
    lambda x: x[:, None].expand(-1, 2, -1, -1, -1)[:, 0],
]  # fmt: skip

GATES = [
    lambda x, g: x * g, lambda x, g: g * x, lambda x, g: x * g.expand_as(x), lambda x, g: torch.mul(g, x),
    lambda x, g: x * g.flatten(1)[:, :, None, None], lambda x, g: x / (1 / g),
]  # fmt: skip

VIEWS = [
    lambda net, x: (net(x) + net(x.flip(3))) / 2,
    lambda net, x: torch.stack([net(x), net(x.flip(3))]).mean(0),
    lambda net, x: net(torch.cat([x, x.flip(3)], 0)).view(2, x.shape[0], -1).mean(0),
    lambda net, x: sum(net(torch.cat([x, x.flip(3)], 0)).chunk(2, 0)) / 2,
]


PARTS = ("pixels", "norm", "gate")


class Whole(nn.Module):
    """A network with some parts, written in one of several ways; ``ways`` names the way of each part."""

    def __init__(self, seed, activation, head, ways, parts=PARTS):
        super().__init__()
        self.parts = parts
        torch.manual_seed(seed)
        self.first = nn.Conv2d(3, CHANNELS, 3).double()
        self.shared = ACTIVATIONS[activation][ways["activation"]]()
        self.pixels = Pixelwise(ways["pixels"])
        self.norm = Normed(ways["norm"])
        self.squeeze = nn.Linear(CHANNELS, CHANNELS).double()
        self.dense = Pixelwise("dense", CHANNELS, 5)
        self.separate = nn.ModuleList(ACTIVATIONS[activation][ways["activation"]]() for _ in range(2))
        self.head, self.ways = HEADS[head][ways["head"]], ways
        with torch.no_grad():
            for bias in (self.first.bias, self.squeeze.bias, self.dense.bias):
                bias.copy_(between(len(bias), low=0.05, high=0.2))

    def act(self, x, number):
        return (self.separate[number] if self.ways["separate"] else self.shared)(x)

    def scores(self, x):
        x = self.act(self.first(x), 0)
        x = REARRANGED[self.ways["rearranged"]](self.pixels(x) if "pixels" in self.parts else x)
        if "norm" in self.parts:
            x = self.act(self.norm(x), 1)
        if "gate" in self.parts:
            gate = self.squeeze(x.mean((2, 3))).sigmoid()[:, :, None, None]
            x = GATES[self.ways["gate"]](x, gate)
        x = self.head(x)
        if self.ways["scores"]:
            return x @ self.dense.weight.t() + self.dense.bias
        return F.linear(x, self.dense.weight, self.dense.bias)

    def forward(self, x):
        scores = self.scores(x)
        return scores.softmax(1) if self.ways["squashed"] else scores


WRAPPED = [lambda module: module, nn.DataParallel, torch.compile, nn.Sequential]

PLAIN = {
    "activation": 0, "pixels": "convolution", "norm": "batch norm", "head": 0, "separate": False, "rearranged": 0,
    "gate": 0, "scores": False, "squashed": False, "wrapped": 0,
}  # fmt: skip


@st.composite
def ways(draw, activation, head):
    return {
        "activation": draw(st.integers(0, len(ACTIVATIONS[activation]) - 1)),
        "pixels": draw(st.sampled_from(["convolution", "convolution, then bias", "dense", "product"])),
        "norm": draw(st.sampled_from(["batch norm", "folded"])),
        "head": draw(st.integers(0, len(HEADS[head]) - 1)),
        "separate": draw(st.booleans()),
        "rearranged": draw(st.integers(0, len(REARRANGED) - 1)),
        "gate": draw(st.integers(0, len(GATES) - 2)),
        "scores": draw(st.booleans()),
        "squashed": draw(st.booleans()),
        "wrapped": draw(st.integers(0, len(WRAPPED) - 1)),
    }


def images(count=2):
    return torch.rand(count, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def answer(network, method, given=None):
    """The map, or the way back that is refused."""
    try:
        return hp.explain(network, images() if given is None else given, method, targets=torch.tensor([1, 3]))
    except InputError as error:
        return "refused" if "cannot go through" in str(error) else str(error)


def assert_same(method, one, other, tolerance):
    """Both answers are the same map, or the same refusal."""
    if isinstance(one, str) or isinstance(other, str):
        assert type(one) is type(other), f"{method} is refused for one of them"
        assert one == other, method
        return
    largest = float(one.abs().max())
    assert largest > 0, method
    off = float((one - other).abs().max()) / largest
    assert off <= tolerance, f"{method} differs by {off:.2g} of the largest value"


def assert_same_maps(*modules, methods=None, tolerance=EXACT):
    """Every method gives all modules the same maps, or refuses all."""
    networks = [hp.Network(module.eval()) for module in modules]
    logits = [network.logits(images()) for network in networks]
    for other in logits[1:]:
        torch.testing.assert_close(logits[0], other, rtol=1e-9, atol=1e-9)
    for method in methods or [*OWN, *OPTIONS]:
        answers = [answer(network, method) for network in networks]
        for one, other in itertools.combinations(answers, 2):
            assert_same(method, one, other, tolerance)
    return networks


def assert_follows(network):
    """Windows give the scores of full evaluation."""
    graph = network.graph(SHAPE)
    whole = whole_plan(graph, rectangles(SHAPE[1:], 3, torch.Generator().manual_seed(0), random=8))
    pictures = images()
    for plan in (whole, leanest(whole)):
        with torch.inference_mode():
            found, expected = Followed(plan, pictures, sequences=2).outputs(4, (1, 4))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@settings(
    max_examples=FUNCTIONS * TIMES, deadline=None, derandomize=TIMES == 1, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],  # shrinking takes minutes
)  # fmt: skip
@given(data=st.data(), seed=st.integers(0, 99))
def test_a_network_written_in_several_ways(data, seed):
    activation, head = data.draw(st.sampled_from(sorted(ACTIVATIONS))), data.draw(st.sampled_from(sorted(HEADS)))
    parts = data.draw(st.sets(st.sampled_from(PARTS), max_size=2))
    drawn = [PLAIN, *(data.draw(ways(activation, head)) for _ in range(WRITINGS - 1))]
    modules = [WRAPPED[way["wrapped"]](Whole(seed, activation, head, way, parts)) for way in drawn]
    networks = assert_same_maps(*modules, tolerance=HARD if activation.startswith("hard") else EXACT)
    for network in networks[:2]:
        assert_follows(network)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_writing_of_an_activation(activation):
    written = [
        Whole(1, activation, "mean", PLAIN | {"activation": way}, ["norm"])
        for way in range(len(ACTIVATIONS[activation]))
    ]
    assert_same_maps(*written, tolerance=HARD if activation.startswith("hard") else EXACT)


def test_every_writing_of_a_pixelwise_layer():
    every = ["convolution", "convolution, then bias", "dense", "product", "along a line", "in a volume"]
    assert_same_maps(*(Whole(2, "relu", "mean", PLAIN | {"pixels": pixels}) for pixels in every))


@pytest.mark.parametrize("part", ["rearranged", "gate", "head"])
def test_every_writing_of_other_parts(part):
    count = {"rearranged": len(REARRANGED), "gate": len(GATES) - 1, "head": len(HEADS["mean"])}[part]
    assert_same_maps(*(Whole(3, "relu", "mean", PLAIN | {part: way}) for way in range(count)), methods=LRP[:2])


@pytest.mark.parametrize(
    ("parts", "methods"),
    [(PARTS, ["gradient-x-input", *LRP[:2]]), (["pixels"], ["gradient-x-input", "lrp-epsilon[epsilon=1e-9]"])],
    ids=["whole", "small stabiliser"],
)
def test_a_mean_in_two_steps(parts, methods):
    class Headed(Whole):
        def __init__(self, head):
            super().__init__(3, "relu", "mean", PLAIN, parts)
            self.head = head

    assert_same_maps(*map(Headed, TWO_STEPS), methods=methods, tolerance=STABILISED)  # each step has a stabiliser


# --- before the first layer


class Before(nn.Module):
    """An affine step before the first layer, as it is or folded into it."""

    def __init__(self, folded, factor, shift):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3).double()
        self.head = nn.Linear(4, 5).double()
        self.factor = torch.as_tensor(factor, dtype=torch.float64).expand(3)[:, None, None]
        self.shift = torch.as_tensor(shift, dtype=torch.float64).expand(3)[:, None, None]
        self.folded = folded
        if folded:
            with torch.no_grad():
                self.conv.bias += (self.conv.weight * self.shift).sum((1, 2, 3))
                self.conv.weight *= self.factor

    def forward(self, x):
        return self.head(self.conv(x if self.folded else x * self.factor + self.shift).relu().mean((2, 3)))


@pytest.mark.parametrize(
    ("factor", "shift"), [(-1.0, 1.0), (2.0, -0.5), ([1.0, -2.0, 0.5], [0.0, 1.0, -0.2]), ([-1.0, 1.0, 2.0], 0.0)]
)
def test_an_affine_step_before_the_first_layer(factor, shift):
    pair = [Before(folded, factor, shift) for folded in (True, False)]
    gradients = ["sensitivity-l2", "sensitivity-linf", "gradient-x-input", "deconvolution-l2", "deconvolution-linf"]
    assert_same_maps(*pair, methods=gradients)
    composites = ["lrp-epsilon", "lrp-epsilon-gamma-box", "lrp-epsilon-plus-flat"]
    assert_same_maps(*pair, methods=composites, tolerance=STABILISED)


def test_an_inversion_before_the_first_layer_under_the_box_rule():
    class Inverted(Before):
        def forward(self, x):
            return super().forward(x) if self.folded else self.head(self.conv(1 - x).relu().mean((2, 3)))

    assert_same_maps(*(Inverted(folded, -1.0, 1.0) for folded in (True, False)), methods=["lrp-epsilon-gamma-box"])


def test_a_batch_norm_that_inverts_before_the_first_layer_under_the_box_rule():
    norm = nn.BatchNorm2d(3).double().eval()
    norm.weight.data = torch.tensor([-1.0, 0.5, -2.0], dtype=torch.float64)
    norm.bias.data = torch.tensor([1.0, 0.2, 0.3], dtype=torch.float64)
    factor = norm.weight / (1 + norm.eps) ** 0.5
    one, other = Before(True, factor.detach(), norm.bias.detach()), Before(True, 1.0, 0.0)
    assert_same_maps(one, nn.Sequential(norm, other), methods=["lrp-epsilon-gamma-box", "lrp-epsilon-plus-flat"])


def test_a_difference_of_channels_before_the_first_layer_under_the_box_rule():
    class Differences(Before):
        def forward(self, x):
            if self.folded:
                weight = self.conv.weight
                x = F.conv2d(x, weight - weight.roll(1, 1), self.conv.bias)
                return self.head(x.relu().mean((2, 3)))
            return self.head(self.conv(x - x.roll(-1, 1)).relu().mean((2, 3)))

    plain, box = (Differences(folded, 1.0, 0.0) for folded in (True, False)), "lrp-epsilon-gamma-box"
    one, other = (hp.Network(module.eval()) for module in plain)
    torch.testing.assert_close(one.logits(images()), other.logits(images()))
    assert bool(hp.explain(other, images(), box).isfinite().all())
    graph = other.graph(SHAPE)
    low, high = interval(graph, torch.zeros(1, *SHAPE), torch.ones(1, *SHAPE), graph.nodes[1].name)
    assert (float(low.amin()), float(high.amax())) == (-1, 1)


# --- views of an image


@pytest.mark.parametrize("way", range(1, len(VIEWS)))
def test_views_stacked_along_the_batch(way):
    def make(number):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5)).double()
        module = nn.Module()
        module.net, module.forward = net, lambda x: VIEWS[number](net, x)
        return module

    networks = assert_same_maps(make(0), make(way), tolerance=1e-4)
    for network in networks:
        relevance = network.forward_pass(images())
        assert relevance.logits.shape == (2, 5)
    assert_follows(networks[1])


# --- norms


class Norm(nn.Module):
    """A layer norm over channels, as it is or by its formula."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(0)
        self.way, self.conv = way, nn.Conv2d(3, CHANNELS, 3).double()
        self.weight, self.bias = nn.Parameter(between(CHANNELS)), nn.Parameter(between(CHANNELS, low=0.1, high=0.3))
        self.head = nn.Linear(CHANNELS, 5).double()

    def forward(self, x):
        x = self.conv(x)
        if self.way == "layer norm":
            x = F.layer_norm(x.permute(0, 2, 3, 1), (CHANNELS,), self.weight, self.bias).permute(0, 3, 1, 2)
        elif self.way == "group norm":  # of each position's own group
            y = x.permute(0, 2, 3, 1).reshape(-1, CHANNELS, 1)
            y = F.group_norm(y.contiguous(), 1, self.weight, self.bias)
            x = y.reshape(x.shape[0], *x.shape[2:], CHANNELS).permute(0, 3, 1, 2)
        else:
            centred = x - x.mean(1, keepdim=True)
            x = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
            x = x * self.weight[:, None, None] + self.bias[:, None, None]
        return self.head(x.relu().mean((2, 3)))


@pytest.mark.parametrize("way", ["formula", "group norm"])
def test_every_writing_of_a_layer_norm(way):
    tolerance = EXACT if way == "group norm" else 0.02  # more denominators
    methods = [*LRP, "gradient-x-input", *(OPTIONS if way == "group norm" else [])]
    assert_same_maps(Norm("layer norm"), Norm(way), methods=methods, tolerance=tolerance)


# --- a sigmoid is a tanh with a bias


class Squashing(nn.Module):
    """σ(x) = (1 + tanh(x / 2)) / 2 in a hidden layer, the constant in the bias of the next one."""

    def __init__(self, way, between_layers):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.between_layers = nn.Conv2d(3, CHANNELS, 3).double(), between_layers
        self.head = nn.Linear(CHANNELS, 5).double()
        self.way = way
        if way == "tanh":
            with torch.no_grad():
                self.head.bias += self.head.weight.sum(1) / 2
                self.head.weight /= 2

    def forward(self, x):
        x = self.conv(x).mean((2, 3)) if self.between_layers else self.conv(x)[:, :, 0, 0]
        return self.head(torch.tanh(x / 2) if self.way == "tanh" else x.sigmoid())


@pytest.mark.parametrize("between_layers", [True, False])
def test_a_sigmoid_is_a_tanh_with_a_bias(between_layers):
    pair = [Squashing(way, between_layers) for way in ("tanh", "sigmoid")]
    assert_same_maps(*pair, methods=["lrp-epsilon", "gradient-x-input"], tolerance=STABILISED)


# --- attention


def explicit(product):
    """Attention as a product, a softmax and a product."""
    return lambda q, k, v: product((product(q, k.mT) / 2).softmax(-1), v)


def by_bmm(q, k, v):
    flat = [x.flatten(0, 1) for x in (q, k, v)]
    weights = torch.baddbmm(torch.zeros(1, 1, 1, dtype=q.dtype), flat[0], flat[1].mT, alpha=0.5).softmax(-1)
    return torch.bmm(weights, flat[2]).unflatten(0, q.shape[:2])


def by_einsum(q, k, v):
    return torch.einsum("bhij,bhjd->bhid", (torch.einsum("bhid,bhjd->bhij", q, k) * 0.5).softmax(-1), v)


ATTENTIONS = {
    "one call": F.scaled_dot_product_attention,
    "scaled": lambda q, k, v: F.scaled_dot_product_attention(q / 2, k, v, scale=1.0),
    "masked": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.ones(64, 64, dtype=torch.bool)),
    "matmul": explicit(torch.matmul), "@": explicit(lambda a, b: a @ b), "bmm": by_bmm, "einsum": by_einsum,
    "swapaxes": lambda q, k, v: (0.5 * q @ k.swapaxes(-1, -2)).softmax(-1).matmul(v),
    "transposed": lambda q, k, v: (v.mT @ (k @ q.mT / 2).softmax(-2)).mT,
    "unsqueezed": lambda q, k, v: ((q @ k.mT / 2)[:, :, None].softmax(-1) @ v[:, :, None])[:, :, 0],
}  # fmt: skip
PROJECTED = ("fused", "separate", "module")


class Attended(nn.Module):
    """Tokens, and one attention of two heads in several writings."""

    def __init__(self, attention="one call", projected="fused"):
        super().__init__()
        torch.manual_seed(4)
        self.attention, self.projected = ATTENTIONS[attention], projected
        self.embed, self.norm = nn.Conv2d(3, CHANNELS, 3), nn.LayerNorm(CHANNELS)
        self.multihead = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
        self.head = nn.Linear(CHANNELS, 5)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.endswith("bias"):
                    parameter.normal_(std=0.3)
        self.double()

    def heads(self, x):
        weight, bias = self.multihead.in_proj_weight, self.multihead.in_proj_bias
        if self.projected == "fused":
            return F.linear(x, weight, bias).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4).unbind(0)
        parts = zip(weight.chunk(3), bias.chunk(3), strict=True)
        return [F.linear(x, *part).unflatten(-1, (2, 4)).transpose(1, 2) for part in parts]

    def forward(self, x):
        x = self.embed(x).flatten(2).mT
        y = self.norm(x)
        if self.projected == "module":
            y = self.multihead(y, y, y, need_weights=False)[0]
        else:
            out = self.multihead.out_proj
            y = F.linear(self.attention(*self.heads(y)).transpose(1, 2).flatten(2), out.weight, out.bias)
        return self.head((x + y).mean(1))


TAYLOR = ["lrp-attention[softmax=taylor]", "lrp-attention[softmax=taylor,bias=exclude]"]


def test_every_writing_of_attention():
    assert_same_maps(*map(Attended, ATTENTIONS), methods=[*OWN, *OPTIONS])


def test_every_writing_of_attention_whose_softmax_is_followed():
    assert_same_maps(*map(Attended, ATTENTIONS), methods=TAYLOR, tolerance=STABILISED)  # products have stabilisers


def test_every_writing_of_projections():
    assert_same_maps(*(Attended(projected=way) for way in PROJECTED), methods=[*OWN, *OPTIONS, *TAYLOR])


class Encoder(nn.Module):
    """One layer of torch's own transformer, with the batch first or behind the tokens."""

    def __init__(self, batch_first):
        super().__init__()
        torch.manual_seed(5)
        self.embed, self.head, self.batch_first = nn.Conv2d(3, CHANNELS, 3), nn.Linear(CHANNELS, 5), batch_first
        self.layer = nn.TransformerEncoderLayer(CHANNELS, 2, 16, batch_first=batch_first)
        self.double()

    def forward(self, x):
        x = self.embed(x).flatten(2)
        x = self.layer(x.mT) if self.batch_first else self.layer(x.permute(2, 0, 1)).transpose(0, 1)
        return self.head(x.mean(1))


def test_tokens_before_the_batch():
    assert_same_maps(Encoder(True), Encoder(False), methods=[*OWN, *OPTIONS, *TAYLOR])
