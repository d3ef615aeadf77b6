"""A graph for what networks are made of: gaps cost only what needs them, and the reason that is given is the reason."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from small_networks import Forward, randomised
from torch import nn

import heatproof as hp
from heatproof.errors import InputError
from heatproof.network.backward import check_way
from heatproof.network.export import export
from heatproof.network.forward import WholeModule
from heatproof.network.operations.normalization import SampleNorm
from heatproof.network.operations.operation import Trace
from heatproof.network.rules import Composite, Epsilon

SMALL = (3, 12, 12)


def pictures(count=3):
    return torch.rand(count, *SMALL, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def own(forward):
    torch.manual_seed(0)
    return randomised(Forward(forward))


def same_as_module(module):
    graph = export(module, SMALL)
    for count in (1, 3):
        with torch.no_grad():
            expected = module(pictures(count))
        torch.testing.assert_close(graph.evaluate(pictures(count)), expected, rtol=1e-10, atol=1e-10)
    return graph


# --- whoever comes first


def behind_a_concatenation(m, x):  # as in DenseNet: this batch norm cannot be folded
    y = m.conv(x)
    return m.scores(F.relu(m.norm1(torch.cat([y[:, :2], y[:, 2:]], dim=1))))


@pytest.mark.parametrize("method", ["gradient-x-input", "lrp-epsilon", "lrp-alphabeta", "deconvolution-l2"])
def test_the_mode_of_whoever_asks_first_changes_nothing(method):
    first, second = hp.Network(own(behind_a_concatenation)), hp.Network(own(behind_a_concatenation))
    first.logits(pictures())  # in inference mode
    torch.testing.assert_close(hp.explain(first, pictures(), method), hp.explain(second, pictures(), method))


def test_a_network_made_in_inference_mode_is_differentiated():
    with torch.inference_mode():
        network = hp.Network(own(behind_a_concatenation))
        network.logits(pictures())
    assert bool(hp.explain(network, pictures(), "gradient-x-input").abs().max() > 0)


# --- as large as the batch


def option_a(m, x):  # the shortcut of a ResNet for CIFAR
    y = m.conv(x)
    padded = torch.cat([y[:, :2], torch.zeros(x.shape[0], 2, 10, 10, dtype=x.dtype)], dim=1)
    return m.scores(F.relu(y) + padded)


def filled(m, x):
    return m.scores(m.conv(x) * torch.full((x.shape[0], 1, 1, 1), 2.0, dtype=x.dtype))


def repeated(m, x):
    return m.scores(m.conv(x) + m.head.weight[:1, :, None, None].repeat(x.shape[0], 1, 10, 10))


def measured(m, x):
    return m.scores(m.conv(x) + m.head.weight[:1, :, None, None].repeat(len(x), 1, 10, 10))


def counted(m, x):
    index = torch.arange(x.shape[0])
    return m.scores(m.conv(x)[index])


@pytest.mark.parametrize("forward", [option_a, filled, repeated, measured, counted])
def test_constants_as_large_as_the_batch(forward):
    module = own(forward)
    same_as_module(module)
    network = hp.Network(module)
    for method in ("gradient-x-input", "lrp-epsilon", "lrp-epsilon-gamma-box", "deconvolution-l2"):
        together = hp.explain(network, pictures(), method)
        alone = torch.cat([hp.explain(network, image[None], method) for image in pictures()])
        torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "draw", [lambda x: torch.rand(x.shape[0], 4, 10, 10, dtype=x.dtype), lambda x: torch.randn(4, 1, 1, dtype=x.dtype)]
)
def test_random_numbers_in_forward_are_refused(draw):
    with pytest.raises(InputError, match=r"the model's own rand.* draws random numbers; heatmaps need a fixed network"):
        export(own(lambda m, x: m.scores(m.conv(x) + draw(x))), SMALL)


# --- parts with a mode of their own


def without_gradient(m, x):
    with torch.no_grad():
        y = m.conv(x)
    return m.scores(F.relu(y))


def test_no_grad_in_forward_is_the_same_function():
    same_as_module(own(without_gradient))
    one, other = hp.Network(own(without_gradient)), hp.Network(own(lambda m, x: m.scores(F.relu(m.conv(x)))))
    for method in ("gradient-x-input", "lrp-epsilon", "deconvolution-l2"):
        torch.testing.assert_close(hp.explain(one, pictures(), method), hp.explain(other, pictures(), method))


@pytest.mark.parametrize("enabled", [True, False])
def test_autocast_in_forward(enabled):
    def forward(m, x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            y = m.conv(x)
        return m.scores(F.relu(y.to(x.dtype)))

    module = own(forward).float()
    network, images = hp.Network(module), pictures().float()
    torch.testing.assert_close(network.logits(images), module(images).detach())
    assert hp.explain(network, images, "gradient-x-input").shape == (3, 12, 12)
    if enabled:
        with pytest.raises(InputError, match=r"LRP.* another precision \(autocast\)|lrp-epsilon.* \(autocast\)"):
            hp.explain(network, images, "lrp-epsilon")
    else:
        hp.explain(network, images, "lrp-epsilon")


def by_numpy(m, x):
    return m.scores(torch.from_numpy(m.conv(x).numpy()))


def test_numpy_in_forward_is_scored_and_not_differentiated():
    network = hp.Network(own(by_numpy))
    assert network.logits(pictures()).shape == (3, 5)
    with pytest.raises(InputError, match=r"the network cannot be differentiated, .* \(no_grad, NumPy or quantised"):
        hp.explain(network, pictures(), "gradient-x-input")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_layers_are_scored_and_not_differentiated():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    quantised = torch.ao.quantization.QuantWrapper(body.eval())
    quantised.qconfig = torch.ao.quantization.get_default_qconfig("x86")
    torch.ao.quantization.prepare(quantised, inplace=True)
    images = pictures().float()
    quantised(images)  # their range is learnt
    module = torch.ao.quantization.convert(quantised)
    network = hp.Network(module)
    torch.testing.assert_close(network.logits(images), module(images).detach())
    curves = hp.perturb(network, images, order="random", regions=4, repeats=1)
    assert curves.engine.name == "full"
    for method in ("gradient-x-input", "lrp-epsilon"):
        with pytest.raises(InputError, match=r"cannot be differentiated|has no graph|cannot go through"):
            hp.explain(network, images, method)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_layers_that_take_their_range_from_the_batch_are_refused():
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    network = hp.Network(torch.ao.quantization.quantize_dynamic(body.eval(), {nn.Linear}))
    with pytest.raises(InputError, match=r"depend on the other images of its batch .* in 4 \(Linear\).* quantised"):
        network.logits(pictures().float())


# --- views along the batch


def test_relevance_of_views_stacked_along_the_batch_is_accounted_for():
    def forward(m, x):
        both = torch.cat([x, x.flip(3)], dim=0)
        return m.scores(F.relu(m.conv(both))).view(2, x.shape[0], 5).mean(0)

    network = hp.Network(own(forward))
    found = network.forward_pass(pictures())
    assert not any(isinstance(node.operation, WholeModule) for node in found.graph)
    relevance = found.relevance(_everywhere(Epsilon(1e-9)))
    assert all(flow.arrived.shape == flow.left.shape == (3,) for flow in relevance.flow)
    places = [flow.place for flow in relevance.flow]
    assert places[:3] == ["the model's own mean", "the model's own view", "head (linear)"]
    torch.testing.assert_close(relevance.flow[0].arrived, found.scores)
    *chain, stacked, flipped = relevance.flow
    for flow, later in itertools.pairwise([*chain, stacked]):
        torch.testing.assert_close(flow.left, later.arrived)
    assert (stacked.place, flipped.place) == ("the model's own cat", "the model's own flip")
    torch.testing.assert_close(stacked.left, relevance.heatmaps.sum(dim=(1, 2)))
    alone = network.forward_pass(pictures()[1:2]).relevance(_everywhere(Epsilon(1e-9)))
    for one, flow in zip(alone.flow, relevance.flow, strict=True):
        torch.testing.assert_close(one.left, flow.left[1:2])


def _everywhere(rule):
    return Composite(first=rule, convolution=rule, dense=rule)


# --- norms


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_takes_its_rule(bias):
    """R = x ⊙ Jᵀ(R / y), J = diag(γ/σ)·(I − 11ᵀ/d), which conserves all but the share of β."""
    torch.manual_seed(0)
    value, relevance = torch.randn(2, 6, dtype=torch.float64), torch.rand(2, 6, dtype=torch.float64)
    gamma, beta = torch.randn(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    graph = export(_LayerNorm(gamma, beta).eval(), (1, 1, 6))
    (norm,) = [node.operation for node in graph if isinstance(node.operation, SampleNorm)]
    output = norm.evaluate(value)
    (found,) = norm.relevance(Trace((value,), output), relevance, Epsilon(bias=bias))
    denominator = output if bias else output - beta
    for image in range(2):
        sigma = (value[image].var(correction=0) + 1e-5).sqrt()
        jacobian = torch.diag(gamma / sigma) @ (torch.eye(6, dtype=torch.float64) - 1 / 6)
        expected = value[image] * (jacobian.T @ (relevance[image] / denominator[image]))
        torch.testing.assert_close(found[image], expected, rtol=1e-3, atol=1e-4)
        kept = (relevance[image] * (output[image] - beta) / denominator[image]).sum()
        torch.testing.assert_close(found[image].sum(), kept, rtol=1e-3, atol=1e-4)


class _LayerNorm(nn.Module):
    def __init__(self, gamma, beta):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(gamma), nn.Parameter(beta)

    def forward(self, x):
        return F.layer_norm(x.flatten(1), (6,), self.gamma, self.beta)


# --- activations


def two_inputs(activation):
    """f(w · x) with w = (−1, 1): the first pixel speaks against the score, the second for it."""
    layer = nn.Linear(2, 1, bias=False).double()
    layer.weight.data = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    grey = hp.Preprocessing(mean=(0.0,), std=(1.0,))
    return hp.Network(nn.Sequential(nn.Flatten(), layer, activation, nn.Linear(1, 1).double()), preprocessing=grey)


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.Softplus(), nn.Hardsigmoid(), nn.Tanh(), nn.GELU()], ids=str)
@pytest.mark.parametrize("pixels", [(0.9, 0.3), (0.2, 0.8)], ids=str)
def test_relevance_has_the_sign_of_gradient_x_input_through_a_rising_activation(activation, pixels):
    network = two_inputs(activation)
    image = torch.tensor(pixels, dtype=torch.float64).reshape(1, 1, 1, 2)
    gradient = hp.explain(network, image, "gradient-x-input", targets=torch.tensor([0]))
    found = hp.explain(network, image, "lrp-epsilon", targets=torch.tensor([0]))
    assert bool((found.sign() == gradient.sign()).all())


def test_a_function_without_a_value_at_zero_is_refused_with_its_place():
    graph = export(own(lambda m, x: m.scores((m.conv(x).square() + 1).square().log().neg().exp().log())), SMALL)
    assert graph.nodes
    with pytest.raises(InputError, match=r"LRP cannot go through the model's own log.*without f\(0\)"):
        check_way(export(own(lambda m, x: m.scores(m.conv(x).square().log())), SMALL), "relevance", "LRP")


# --- changes in place


def masked(module, x):
    """A mask that is filled part by part, as Swin Transformers have it."""
    mask = x.new_zeros(8, 8)
    for number, rows in enumerate((slice(0, 3), slice(3, 6), slice(6, None))):
        mask[rows, :] = number
    return module(x * mask)


def masked_for_each_image(module, x):
    mask = x.new_zeros(x.shape[0], 1, 8, 8)
    mask[:, :, 2:5] = 1
    return module(x * mask)


def written_over(module, x):
    """A copy of which a part is written over by a part of the image."""
    y = torch.zeros_like(x)
    y[:, :, :4] = x[:, :, 4:]
    y[:, :, 4:] = 1
    return module(y)


@pytest.mark.parametrize("forward", [masked, masked_for_each_image, written_over])
def test_parts_that_are_changed_in_place(forward):
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    module = nn.Module()
    module.inner, module.forward = inner, lambda x: forward(inner, x)
    network, images = hp.Network(module.eval()), torch.rand(3, 3, 8, 8)
    assert network.without_graph((3, 8, 8)) is None
    torch.testing.assert_close(network.graph((3, 8, 8)).evaluate(images), module(images))
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(leaf)[:, 1].sum(), leaf)
    found = hp.explain(network, images, "gradient-x-input", targets=torch.ones(3, dtype=torch.long))
    torch.testing.assert_close(found, (gradient * images).sum(1))


def test_a_buffer_that_forward_changes_stays_as_it_was():
    class Filled(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.zeros(1, 1, 8, 8))
            self.dense = nn.Linear(192, 5)

        def forward(self, x):
            self.mask[:, :, 2:5] = 1.0
            return self.dense((x * self.mask).flatten(1))

    module = Filled().eval()
    network, images = hp.Network(module), torch.rand(2, 3, 8, 8)
    logits = network.logits(images)
    assert not bool(module.mask.any())
    torch.testing.assert_close(logits, module(images))


# --- types


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("slopes", [1, 4])
def test_learned_slopes_in_every_type(slopes, dtype):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.PReLU(slopes), nn.Flatten(), nn.Linear(400, 5)).to(dtype)
    network, images = hp.Network(module), pictures().float()
    assert network.without_graph(SMALL) is None
    with torch.no_grad():
        expected = module(images.to(dtype))
    allowed = {} if dtype == torch.float64 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(network.logits(images), expected, **allowed)


def wider_sum(m, x):
    return m.wide((m.conv(x) + m.other(m.conv(x)).double().exp()).mean((2, 3)))


def sum_cast_back(m, x):
    """A large number that float32 would round away."""
    large = m.other(m.conv(x)).double() * 1e8
    return m.wide(((m.conv(x) + large) - large).float().mean((2, 3)).double())


def wider_bias(m, x):
    return m.wide((m.conv(x) + torch.full((4, 1, 1), 1 / 3, dtype=torch.float64)).mean((2, 3)))


@pytest.mark.parametrize("forward", [wider_sum, sum_cast_back, wider_bias])
def test_sums_of_two_types_are_of_the_wider_one(forward):
    torch.manual_seed(0)
    module = Forward(forward).eval()
    module.wide = nn.Linear(4, 5).double()
    network, images = hp.Network(module), pictures().float()
    assert network.without_graph(SMALL) is None
    with torch.no_grad():
        expected = module(images)
    torch.testing.assert_close(network.logits(images), expected, rtol=1e-6, atol=1e-6)
