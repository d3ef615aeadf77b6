"""LRP against Zennit, against numbers worked out by hand, against plain loops, and against conservation."""

import copy

import lrp_rules
import numpy as np
import pytest
import real_networks
import torch
from small_networks import Forward, ReluCNN, narrowed, randomised
from torch import nn
from torchvision import models
from zennit.torchvision import ResNetCanonizer
from zennit_maps import METHODS, with_bias, worst_difference, zennit_composite, zennit_heatmaps

import heatproof as hp
from heatproof.heatmaps import explain_batches
from heatproof.network.operations.dense import Linear
from heatproof.network.operations.weighted import Convolution
from heatproof.network.rules import AlphaBeta, Box, Composite, Epsilon, Flat, Gamma

slow = pytest.mark.slow
IMAGENET = hp.Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


# --- Zennit


def resnet(name):
    module = randomised(getattr(models, name)(weights=None, num_classes=10))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            # Zennit 0.5.1 folds a batch norm into its convolution and puts an identity in its place, but leaves its
            # eps, so that identity divides by sqrt(1 + eps): its maps are then off by 1e-5 for each batch norm
            part.eps = 0.0
    return module


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11", "squeezenet1_1", "resnet18", *(pytest.param(n, marks=slow) for n in ("vgg16", "resnet50"))],
)
def test_same_maps_as_zennit(name):
    torch.manual_seed(0)
    if name.startswith("resnet"):
        module, canonizers = resnet(name), [ResNetCanonizer()]
    else:
        module, canonizers = getattr(models, name)(weights=None), []
        module = randomised(narrowed(module) if name != "squeezenet1_1" else module)
    network = hp.Network(module, preprocessing=IMAGENET)
    size = 64 if name in ("alexnet", "squeezenet1_1") else 32
    images = torch.rand(1 if name.startswith("vgg") else 2, 3, size, size, dtype=torch.float64)
    worst = worst_difference(module, network, images, canonizers=canonizers)
    assert max(worst.values()) < 1e-6, worst


def test_same_maps_as_zennit_where_batch_norm_follows_the_relu():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(256, 5),
    )  # fmt: skip
    module = randomised(module)
    worst = worst_difference(module, hp.Network(module), torch.rand(2, 3, 12, 12, dtype=torch.float64))
    assert max(worst.values()) < 1e-6, worst


@pytest.fixture(scope="module")
def real_network():
    return real_networks.network("squeezenet1_0")


@pytest.fixture(scope="module")
def photographs(real_network):
    return real_networks.photographs(real_network.preprocessing, 4)


@pytest.fixture(scope="module")
def real_network_in_float64(real_network):
    return hp.Network(copy.deepcopy(real_network.module).double(), preprocessing=IMAGENET)


def test_same_maps_as_zennit_with_real_weights(real_network_in_float64, photographs):
    network = real_network_in_float64
    methods = ["lrp-epsilon", "lrp-alphabeta", "lrp-epsilon-gamma-box"]
    worst = worst_difference(network.module, network, photographs[:1].double(), methods)
    assert max(worst.values()) < 1e-9, worst


@slow
def test_same_maps_as_zennit_with_real_weights_by_every_method(real_network_in_float64, photographs):
    network = real_network_in_float64
    worst = worst_difference(network.module, network, photographs.double())
    assert max(worst.values()) < 1e-9, worst


def test_same_maps_as_zennit_with_real_weights_in_float32(real_network, photographs):
    """With the same memory layout, whose convolutions round alike; another layout alone moves Zennit by 3 %."""
    last = {"memory_format": torch.channels_last}
    module, targets = copy.deepcopy(real_network.module).to(**last), real_network.predict(photographs)
    inputs = IMAGENET.normalise(photographs).contiguous(**last)
    for method in ("lrp-epsilon", "lrp-epsilon[epsilon=100]", "lrp-alphabeta", "lrp-alphabeta[alpha=1,beta=0]"):
        for bias in ("include", "exclude"):
            expected = zennit_heatmaps(module, inputs, targets, zennit_composite(method, bias, *IMAGENET.box(), []))
            ours = hp.explain(real_network, photographs, with_bias(method, bias), targets=targets)
            assert float((ours - expected).abs().max() / expected.abs().max()) < 1e-4


@pytest.mark.parametrize("method", [METHODS[0], *(pytest.param(method, marks=slow) for method in METHODS[1:])])
def test_float32_is_no_further_from_float64_than_zennit_is(real_network, real_network_in_float64, photographs, method):
    """Denominators near zero amplify rounding: float32 is up to 1 % (Zennit's up to 5 %) of the largest value off."""
    targets = real_network.predict(photographs)
    low, high = IMAGENET.box()
    composite = zennit_composite(method, "include", low, high, [])
    theirs = zennit_heatmaps(real_network.module, IMAGENET.normalise(photographs), targets, composite)
    exact = hp.explain(real_network_in_float64, photographs.double(), method, targets=targets)
    ours = hp.explain(real_network, photographs, method, targets=targets)
    off, zennit_off = ((maps - exact).abs().amax(dim=(1, 2)) / exact.abs().amax(dim=(1, 2)) for maps in (ours, theirs))
    assert bool((off <= 2 * zennit_off + 1e-5).all()), (off, zennit_off)
    assert float(off.max()) < 0.02


# --- worked out by hand

# x = (0.5, 1) → z = (2·0.5 + 1·1 + 0.5, −2·0.5 + 3·1 − 1) = (2.5, 1) → ReLU → a = (2.5, 1)
# f = (2·2.5 − 1·1 + 0.5, 1·1) = (4.5, 1): the first class, R = 4.5
# contributions: to f (5, −1 | bias 0.5); to the first hidden unit (1, 1 | 0.5); to the second (−1, 3 | −1)
GREY = hp.Preprocessing(mean=(0.0,), std=(1.0,))
PIXELS = torch.tensor([0.5, 1.0], dtype=torch.float64).reshape(1, 1, 1, 2)
STEPS_1 = [[2.0, 1.0], [-2.0, 3.0]], [0.5, -1.0]
STEPS_2 = [[2.0, -1.0], [0.0, 1.0]], [0.5, 0.0]


def filled(layer, numbers):
    weight, bias = (torch.tensor(values, dtype=torch.float64) for values in numbers)
    layer.double()
    layer.weight.data = weight.reshape(layer.weight.shape)
    layer.bias.data = bias
    return layer


def dense_network():
    first, second = filled(nn.Linear(2, 2), STEPS_1), filled(nn.Linear(2, 2), STEPS_2)
    return hp.Network(nn.Sequential(nn.Flatten(), first, nn.ReLU(), second), preprocessing=GREY)


def convolution_network():
    first, second = filled(nn.Conv2d(1, 2, (1, 2)), STEPS_1), filled(nn.Conv2d(2, 2, 1), STEPS_2)
    return hp.Network(nn.Sequential(first, nn.ReLU(), second, nn.Flatten()), preprocessing=GREY)


EPSILON_INCLUDE = (4.5 * 5 / 4.51, 4.5 * -1 / 4.51)
EPSILON_EXCLUDE = (4.5 * 5 / 4.01, 4.5 * -1 / 4.01)
GAMMA_INCLUDE = (4.5 * 6.25 / 5.875, 4.5 * -1 / 5.875)
GAMMA_EXCLUDE = (4.5 * 6.25 / 5.25, 4.5 * -1 / 5.25)


@pytest.mark.parametrize("network", [dense_network, convolution_network])
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            "lrp-epsilon",
            (
                EPSILON_INCLUDE[0] * 1 / 2.51 + EPSILON_INCLUDE[1] * -1 / 1.01,
                EPSILON_INCLUDE[0] * 1 / 2.51 + EPSILON_INCLUDE[1] * 3 / 1.01,
            ),
        ),
        (
            "lrp-epsilon[bias=exclude]",
            (
                EPSILON_EXCLUDE[0] * 1 / 2.01 + EPSILON_EXCLUDE[1] * -1 / 2.01,
                EPSILON_EXCLUDE[0] * 1 / 2.01 + EPSILON_EXCLUDE[1] * 3 / 2.01,
            ),
        ),
        # hidden (2 · 5/5.5 · 4.5, −1 · 4.5); the first hidden unit has no negative part: its β share is lost
        (
            "lrp-alphabeta",
            (2 * 1 / 2.5 * (90 / 11) - (1 / 2) * -4.5, 2 * 1 / 2.5 * (90 / 11) + 2 * 3 / 3 * -4.5),
        ),
        # hidden (2 · 4.5, −4.5)
        ("lrp-alphabeta[bias=exclude]", (2 * 1 / 2 * 9.0 - 1 * -4.5, 2 * 1 / 2 * 9.0 + 2 * 1 * -4.5)),
        # hidden (5/5.5 · 4.5, 0)
        ("lrp-alphabeta[alpha=1,beta=0]", (1 / 2.5 * (45 / 11), 1 / 2.5 * (45 / 11))),
        ("lrp-alphabeta[alpha=1,beta=0,bias=exclude]", (2.25, 2.25)),
    ],
)
def test_two_layers_by_hand(network, method, expected):
    found = hp.explain(network(), PIXELS, method)
    # the stabiliser of 1e-6 is left out above
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "method", "expected"),
    [
        # dense: hidden (5, −1), of which every pixel gets half
        (dense_network, "lrp-epsilon-plus-flat", (2.0, 2.0)),
        (dense_network, "lrp-epsilon-plus-flat[bias=exclude]", (2.25, 2.25)),
        (dense_network, "lrp-epsilon-alpha2-beta1-flat", (2.0, 2.0)),
        # convolution: hidden (5/5.5 · 4.5, 0), and (90/11, −4.5)
        (convolution_network, "lrp-epsilon-plus-flat", (45 / 22, 45 / 22)),
        (convolution_network, "lrp-epsilon-alpha2-beta1-flat", ((90 / 11 - 4.5) / 2, (90 / 11 - 4.5) / 2)),
        # γ = 0.25 makes (5, −1 | 0.5) to (6.25, −1 | 0.625); pixels in [0, 1] count from the end that a weight prefers:
        # (1, 1) for weights (2, 1), and (−1 + 2, 3) for weights (−2, 3)
        (
            convolution_network,
            "lrp-epsilon-gamma-box",
            (GAMMA_INCLUDE[0] / 2 + GAMMA_INCLUDE[1] / 4, GAMMA_INCLUDE[0] / 2 + GAMMA_INCLUDE[1] * 3 / 4),
        ),
        (
            convolution_network,
            "lrp-epsilon-gamma-box[bias=exclude]",
            (GAMMA_EXCLUDE[0] / 2 + GAMMA_EXCLUDE[1] / 4, GAMMA_EXCLUDE[0] / 2 + GAMMA_EXCLUDE[1] * 3 / 4),
        ),
        (dense_network, "lrp-epsilon-gamma-box", (5 / 2 - 1 / 4, 5 / 2 - 3 / 4)),
    ],
)
def test_composites_by_hand(network, method, expected):
    found = hp.explain(network(), PIXELS, method)
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-5)


# --- plain loops


def random_layer(seed, signed):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(2, 5, dtype=torch.float64, generator=generator)
    inputs[:, 0] = 0.0
    inputs = inputs if signed else inputs.abs()
    weight = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    weight[3] = weight[3].abs()  # an output without a negative part
    bias = torch.randn(4, dtype=torch.float64, generator=generator)
    relevance = torch.randn(2, 4, dtype=torch.float64, generator=generator)
    return Linear(weight, bias), inputs, relevance


LOW, HIGH = torch.full((1, 5), -3.0, dtype=torch.float64), torch.full((1, 5), 4.0, dtype=torch.float64)
RULES = {
    "epsilon": (lambda bias: Epsilon(0.01, bias), lambda *x, bias: lrp_rules.epsilon_rule(*x, epsilon=0.01, bias=bias)),
    "epsilon 100": (
        lambda bias: Epsilon(100, bias),
        lambda *x, bias: lrp_rules.epsilon_rule(*x, epsilon=100, bias=bias),
    ),
    "alpha2 beta-1": (
        lambda bias: AlphaBeta(2, -1, bias),
        lambda *x, bias: lrp_rules.alphabeta_rule(*x, alpha=2, beta=-1, bias=bias),
    ),
    "alpha1 beta0": (
        lambda bias: AlphaBeta(1, 0, bias),
        lambda *x, bias: lrp_rules.alphabeta_rule(*x, alpha=1, beta=0, bias=bias),
    ),
    "gamma": (lambda bias: Gamma(0.25, bias), lambda *x, bias: lrp_rules.gamma_rule(*x, gamma=0.25, bias=bias)),
    "flat": (lambda bias: Flat(), lambda *x, bias: lrp_rules.flat_rule(*x)),
    "box": (
        lambda bias: Box(LOW, HIGH),
        lambda *x, bias: lrp_rules.box_rule(*x, low=LOW[0].tolist(), high=HIGH[0].tolist()),
    ),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("signed", [False, True])
def test_rule_is_its_formula(name, bias, signed):
    make, loops = RULES[name]
    for seed in range(30):
        layer, inputs, relevance = random_layer(seed, signed)
        found = make(bias).propagate(layer, inputs, layer.evaluate(inputs), relevance)
        expected = [
            loops(a, layer.weight.tolist(), layer.bias.tolist(), r, bias=bias)
            for a, r in zip(inputs.tolist(), relevance.tolist(), strict=True)
        ]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in RULES if name != "flat"])
def test_rule_without_relevance_or_inputs_gives_none(name):
    layer, inputs, relevance = random_layer(0, signed=True)
    rule = RULES[name][0](False)
    nothing = torch.zeros_like(inputs)
    torch.testing.assert_close(rule.propagate(layer, inputs, layer.evaluate(inputs), 0 * relevance), nothing)
    if name != "box":
        torch.testing.assert_close(rule.propagate(layer, nothing, layer.evaluate(nothing), relevance), nothing)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "settings", [(1, 0, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (1, 1, 1, 2)], ids=["plain", "stride", "dilation", "groups"]
)
def test_rule_of_a_convolution_is_that_of_its_matrix(name, settings):
    stride, padding, dilation, groups = settings
    generator = torch.Generator().manual_seed(1)
    shape = (2, 6, 5)
    weight = torch.randn(4, 2 // groups, 3, 3, dtype=torch.float64, generator=generator)
    bias = torch.randn(4, dtype=torch.float64, generator=generator)
    convolution = Convolution(weight, bias, (stride,) * 2, (padding,) * 2, (dilation,) * 2, groups)
    units = torch.eye(60, dtype=torch.float64).reshape(60, *shape)
    columns = convolution.weigh(units, weight)
    matrix = columns.flatten(start_dim=1).T.contiguous()  # (outputs, 60)
    spread = bias[:, None].expand(4, columns[0, 0].numel()).flatten()
    inputs = torch.randn(3, *shape, dtype=torch.float64, generator=generator)
    output = convolution.evaluate(inputs)
    relevance = torch.randn(output.shape, dtype=torch.float64, generator=generator)
    rule, flat_rule = RULES[name][0](True), RULES[name][0](True)
    if name == "box":
        rule, flat_rule = Box(LOW[0, 0], HIGH[0, 0]), Box(LOW[0, 0], HIGH[0, 0])
    if name == "flat":  # a convolution shares within its window, a matrix row among all inputs
        window = convolution.weigh(units, torch.ones_like(weight)).flatten(start_dim=1).T  # 1 where i is in j's window
        share = relevance.flatten(start_dim=1) / (window.sum(dim=1) + 1e-6)
        expected = share @ window
    else:
        dense = Linear(matrix, spread)
        flat = inputs.flatten(start_dim=1)
        expected = flat_rule.propagate(dense, flat, dense.evaluate(flat), relevance.flatten(start_dim=1))
    found = rule.propagate(convolution, inputs, output, relevance)
    torch.testing.assert_close(found.flatten(start_dim=1), expected, rtol=1e-9, atol=1e-9)


# --- conservation


def kept(network, images, method):
    (explained,) = explain_batches(network, images, {"m": method})
    return explained.conservation["m"]


CONSERVING = [
    ("lrp-epsilon[epsilon=1e-9,bias=exclude]", 0.01),
    ("lrp-alphabeta[alpha=1,beta=0,bias=exclude]", 0.01),
    ("lrp-alphabeta[bias=exclude]", 0.1),
]


@pytest.mark.parametrize(("method", "tolerance"), CONSERVING)
def test_without_biases_the_whole_score_comes_to_the_pixels(real_network, photographs, method, tolerance):
    found = kept(real_network, photographs, method)
    np.testing.assert_allclose(found.kept, 1, atol=tolerance)


def test_without_biases_a_random_network_keeps_the_whole_score():
    network = hp.Network(randomised(ReluCNN()))
    images = torch.rand(4, 3, 24, 24, dtype=torch.float64)
    for method in ("lrp-epsilon[epsilon=1e-9,bias=exclude]", "lrp-alphabeta[alpha=1,beta=0,bias=exclude]"):
        np.testing.assert_allclose(kept(network, images, method).kept, 1, atol=0.01)


@pytest.mark.parametrize("method", [with_bias(m, b) for m in METHODS for b in ("include", "exclude")])
def test_what_is_kept_and_what_is_absorbed_add_up_to_the_score(method):
    network = hp.Network(randomised(ReluCNN()))
    images = torch.rand(4, 3, 24, 24, dtype=torch.float64)
    found = kept(network, images, method)
    np.testing.assert_allclose(found.kept + found.absorbed.sum(axis=1), 1, rtol=1e-9, atol=1e-9)
    (explained,) = explain_batches(network, images, {"m": method})
    np.testing.assert_allclose(found.kept, explained.heatmaps["m"].sum(dim=(1, 2)) / explained.scores, rtol=1e-9)
    assert found.absorbed.shape == (4, len(found.places))


def test_biases_in_the_denominators_absorb_what_the_formula_says():
    """f = 4.5 of which the output's bias takes 0.5, the hidden ones 5 · 0.5/2.5 and −1 · −1/1."""
    (explained,) = explain_batches(dense_network(), PIXELS, {"m": "lrp-epsilon[epsilon=1e-9]"})
    found = explained.conservation["m"]
    absorbed = dict(zip(found.places, found.absorbed[0] * 4.5, strict=True))
    assert absorbed["3 (linear)"] == pytest.approx(0.5)
    assert absorbed["1 (linear)"] == pytest.approx(1 + 1)
    assert found.kept[0] * 4.5 == pytest.approx(2)


# --- residual additions


def residual(m, x):
    y = m.relu(m.conv(x))
    return m.scores(m.relu(m.other(y)) + y)


@pytest.mark.parametrize("method", ["lrp-epsilon[epsilon=1e-9,bias=exclude]", "lrp-alphabeta[alpha=1,beta=0]"])
def test_relevance_is_not_doubled_at_a_residual_addition(method):
    """Trap: if the addition passed its relevance to both maps, the pixels would get up to twice the score."""
    torch.manual_seed(0)
    module = randomised(Forward(residual))
    module.other.bias.data.zero_()  # where a sum has no inputs but a bias, no input can get its relevance
    network = hp.Network(module)
    forward = network.forward_pass(torch.rand(3, 3, 12, 12, dtype=torch.float64))
    rule = Epsilon(1e-9, bias=False) if "epsilon" in method else AlphaBeta(1, 0, bias=False)
    relevance = forward.relevance(Composite(rule, rule, rule))
    (addition,) = [flow for flow in relevance.flow if flow.place.endswith(" add")]
    torch.testing.assert_close(addition.left, addition.arrived, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(relevance.heatmaps.sum(dim=(1, 2)), forward.scores, rtol=1e-3, atol=1e-6)


def test_an_addition_shares_in_proportion_to_what_each_map_adds():
    """y + 3y: a quarter and three quarters of the relevance, so the map is that of y alone."""
    torch.manual_seed(0)
    module = randomised(Forward(lambda m, x: m.scores((y := m.relu(m.conv(x))) + 3 * y)))
    alone = randomised(Forward(lambda m, x: m.scores(4 * m.relu(m.conv(x)))))
    alone.load_state_dict(module.state_dict())
    images = torch.rand(3, 3, 12, 12, dtype=torch.float64)
    method = "lrp-epsilon[bias=exclude]"
    expected = hp.explain(hp.Network(alone), images, method)
    torch.testing.assert_close(hp.explain(hp.Network(module), images, method), expected, rtol=1e-4, atol=1e-6)
