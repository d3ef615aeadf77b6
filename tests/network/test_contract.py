"""A network is a function of one image, or it is refused with the reason and the place."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import heatproof as hp
from heatproof import InputError
from heatproof.network.graph import Graph
from heatproof.network.squashing import CallRecorder

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
SHAPE = (3, 16, 16)


class Own(nn.Module):
    """A small network with a forward pass of its own."""

    def __init__(self, forward):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.last, self.norm = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), nn.BatchNorm2d(4)
            self.alone, self.drop, self.first = nn.BatchNorm2d(4, track_running_stats=False), nn.Dropout(), None
            self.hidden, self.unused = [nn.Linear(5, 5)], [nn.Linear(5, 5)]
            self.dropouts, self.generator = [nn.Dropout()], torch.Generator()
        self.own = forward

    def features(self, images):
        return F.relu(self.conv(images))

    def scores(self, images):
        return self.last(self.features(images).mean((2, 3)))

    def forward(self, images):
        return self.own(self, images)


def remembers(m, x):
    m.first = torch.rand(1, 5) if m.first is None else m.first
    return m.scores(x) + m.first


def counts(m, x):
    m.first = (m.first or 0) + 1
    return m.scores(x) * m.first


DRAWS = r"draws random numbers in evaluation \(scores differ by [\d.e-]+ of the largest score\)"
BROKEN = {
    "dropout": (lambda m, x: F.dropout(m.scores(x)), DRAWS + ", in the model's own forward; .* training=self.training"),
    "dropout of channels": (lambda m, x: m.last(F.dropout2d(m.features(x)).mean((2, 3))), DRAWS),
    "dropout layer": (lambda m, x: m.drop.train()(m.scores(x)), DRAWS + r", first in drop \(Dropout\)"),
    "little noise": (lambda m, x: m.scores(x + 1e-6 * torch.randn_like(x)), DRAWS),
    "noise of its own": (lambda m, x: m.scores(x + torch.randn(x.shape, generator=m.generator)), "other scores each"),
    "constant": (lambda m, x: m.scores(x) + torch.randn(1, 5), DRAWS),
    "Python's": (lambda m, x: m.scores(x) * random.random(), DRAWS),
    "remembers": (remembers, "draws constants at random when it is first called, so another copy has others"),
    "counts": (counts, "gives an image other scores each time it is asked"),
    "batch norm": (
        lambda m, x: m.last(m.alone(m.conv(x)).relu().mean((2, 3))),
        r"depend on the other images of its batch \(by .*\), first in alone \(BatchNorm2d\); .* running statistics",
    ),
    "mean over the batch": (lambda m, x: m.scores(x) - m.scores(x).mean(0), "depend on the other images of its batch"),
    "layers in a list": (
        lambda m, x: m.hidden[0](m.scores(x)),
        r"layers with weights in plain lists .* \(hidden\[0\]\), where torch .* nn.ModuleList",
    ),
    "NaN": (lambda m, x: m.scores(x) * torch.nan, "scores are not finite"),
    "several rows": (lambda m, x: m.scores(x).repeat(2, 1), "one row of scores for each image, got 2 of a batch of 1"),
    "size": (
        lambda m, x: F.linear(x.flatten(1), torch.ones(5, 7)),
        r"net cannot evaluate images of shape \(3, 16, 16\) \(C, H, W\): RuntimeError: mat1 and mat2 shapes",
    ),
    "types": (lambda m, x: m.last.double()(m.features(x).mean((2, 3))), r"several types \(float32, float64\)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_network_that_breaks_the_contract_is_refused(name):
    forward, reason = BROKEN[name]
    network = hp.Network(Own(forward), name="net")
    with pytest.raises(InputError, match=reason):
        network.logits(IMAGES)
    with pytest.raises(InputError, match=reason):
        hp.perturb(network, IMAGES, IMAGES.sum(1), targets=torch.zeros(4, dtype=torch.long), regions=4)


KEPT = {
    "plain": lambda m, x: m.scores(x),
    "batch norm": lambda m, x: m.last(m.norm(m.conv(x)).relu().mean((2, 3))),
    "dropout in a list": lambda m, x: m.dropouts[0](m.scores(x)),
    "draws for nothing": lambda m, x: (torch.rand(3), m.scores(x))[1],
    "without a graph": lambda m, x: m.scores(x) if x.sum() > 0 else -m.scores(x),
}


@pytest.mark.parametrize("name", KEPT)
def test_others_are_taken_and_no_random_state_is_touched(name):
    network = hp.Network(Own(KEPT[name]))
    before = torch.get_rng_state(), random.getstate()
    network.check(IMAGES)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    torch.testing.assert_close(network.logits(IMAGES), network.module(IMAGES))


@pytest.mark.parametrize("name", ["plain", "without a graph"])
def test_a_network_is_tried_once_for_each_size(name):
    sizes = []

    def counted(m, x):
        if not torch.compiler.is_exporting():
            sizes.append(len(x))
        return KEPT[name](m, x)

    network = hp.Network(Own(counted))
    network.check(IMAGES)
    tried = list(sizes)
    assert tried == ([1] if name == "plain" else [1, 2])
    for _ in range(3):
        network.check(IMAGES)
        network.graph(SHAPE) if name == "plain" else network.without_graph(SHAPE)
    assert sizes == tried
    network.check(IMAGES[..., :12])
    assert sizes == 2 * tried


def test_a_constant_image_hides_nothing():
    """Dropout does nothing to zeros, so that noise is tried instead."""
    network = hp.Network(Own(lambda m, x: m.last(F.dropout(x.mean((2, 3))) @ torch.ones(3, 4))))
    with pytest.raises(InputError, match="draws random numbers"):
        network.logits(torch.zeros(2, 3, 16, 16))


def test_a_graph_that_computes_something_else_is_not_used():
    def forward(m, x):
        return m.scores(x) * (2 if torch.compiler.is_exporting() else 1)

    network = hp.Network(Own(forward), name="net")
    assert "net has no graph (the exported program gives other scores than the model)" in network.without_graph(SHAPE)
    torch.testing.assert_close(network.logits(IMAGES), Own(forward)(IMAGES).detach())


def test_a_forward_pass_with_any_number_of_arguments_has_a_graph():
    class Any(Own):
        def forward(self, *images):
            return self.scores(*images)

    assert hp.Network(Any(None)).without_graph(SHAPE) is None


def test_gradients_of_logits_are_those_of_the_module():
    """For a user's method that differentiates ``network.logits``."""

    def mine(network, images, targets):
        leaf = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(network.logits(leaf).gather(1, targets[:, None]).sum(), leaf)
        return (gradient * images).sum(1)

    network = hp.Network(Own(KEPT["plain"]), preprocessing=hp.Preprocessing(mean=(0.1,) * 3, std=(0.5,) * 3))
    inputs = network.inputs(IMAGES).requires_grad_()
    (gradient,) = torch.autograd.grad(network.module(inputs).amax(1).sum(), inputs)
    torch.testing.assert_close(hp.explain(network, IMAGES, mine), (gradient * IMAGES / 0.5).sum(1))


def test_one_target_for_all_images():
    network = hp.Network(Own(KEPT["plain"]))
    every = torch.full((4,), 3)
    torch.testing.assert_close(
        hp.explain(network, IMAGES, "lrp-epsilon", targets=3), hp.explain(network, IMAGES, "lrp-epsilon", targets=every)
    )
    given = {"order": "random", "regions": 4, "repeats": 1}
    torch.testing.assert_close(
        hp.perturb(network, IMAGES, targets=3, **given).scores,
        hp.perturb(network, IMAGES, targets=every, **given).scores,
    )
    studies = [
        hp.compare(
            network, IMAGES, ["gradient-x-input"], targets=targets, regions=4, repeats=1, audit=0, protocol="samek2017"
        )
        for targets in (3, every)
    ]
    assert studies[0].verdict == studies[1].verdict
    with pytest.raises(InputError, match=r"targets must lie in 0 … 4, got 5 … 5"):
        hp.explain(network, IMAGES, "lrp-epsilon", targets=5)


def test_rounding_beyond_the_limits_is_taken_as_it_is_and_told_where_it_is_more():
    network = hp.Network(Own(KEPT["plain"]))
    images = IMAGES.clone()
    images[0, 0, 0, :2] = torch.tensor([1.0000001, -1e-7])
    torch.testing.assert_close(network.logits(images), network.module(images))
    images[0, 0, 0, 0] = 1.0004
    with pytest.raises(InputError, match=r"images must lie in \[0, 1\] .* got values from -1e-07 to 1.0004"):
        network.logits(images)


# --- the last squashing


def head(last):
    return lambda m, x: last(m.scores(x))


ENDS = {
    "softmax": lambda z: z.softmax(1),
    "log-softmax": lambda z: F.log_softmax(z, dim=-1),
    "sigmoid": torch.sigmoid,
    "log-sigmoid": F.logsigmoid,
    "layer": nn.Softmax(dim=1),
    "in place": lambda z: z.clone().sigmoid_(),
    "over the batch": lambda z: z.softmax(0),
    "another axis": lambda z: z[:, :, None, None].softmax(1).flatten(1),
    "clamp and log": lambda z: z.softmax(1).clamp(1e-7, 1).log(),
    "smoothed": lambda z: z.softmax(1) * 0.9 + 0.02,
    "squeezed": lambda z: torch.sigmoid(z[..., None]).squeeze(-1),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("graph", [True, False])
def test_the_last_squashing_is_cut_for_everyone(end, graph):
    """The module, its graph and its gradients give logits, of which the sign below 0 is right."""
    plain = KEPT["plain" if graph else "without a graph"]
    network = hp.Network(Own(lambda m, x: ENDS[end](plain(m, x))))
    expected = hp.Network(Own(plain))
    torch.testing.assert_close(network.logits(IMAGES), expected.logits(IMAGES), rtol=0, atol=0)
    torch.testing.assert_close(network.module(IMAGES), expected.module(IMAGES), rtol=0, atol=0)
    assert (network.without_graph(SHAPE) is None) == graph
    assert network.gives_logits
    assert network.fingerprint() == expected.fingerprint()
    for method in ("gradient-x-input", *(["lrp-epsilon"] if graph else [])):
        targets = torch.tensor([0, 1, 2, 3])
        torch.testing.assert_close(
            hp.explain(network, IMAGES, method, targets=targets), hp.explain(expected, IMAGES, method, targets=targets)
        )
    other = hp.Network(network.module)  # as assess makes one for each checkpoint
    torch.testing.assert_close(other.logits(IMAGES), expected.logits(IMAGES), rtol=0, atol=0)


def test_parts_of_a_cut_module_are_whole():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))
    network = hp.Network(module)
    network.check(IMAGES)
    torch.testing.assert_close(network.module(IMAGES), module[:4](IMAGES).detach())
    torch.testing.assert_close(network.module[:2](IMAGES), module[:2](IMAGES).detach())


def test_one_squashing_is_cut_whatever_sizes_come():
    """What stands before a final softmax are logits, also where they come from a sigmoid."""
    network = hp.Network(Own(lambda m, x: m.scores(x).sigmoid().softmax(1)))
    expected = Own(lambda m, x: m.scores(x).sigmoid())
    for images in (IMAGES, IMAGES[..., :12]):
        torch.testing.assert_close(network.logits(images), expected(images).detach())
        torch.testing.assert_close(hp.Network(network.module).logits(images), expected(images).detach())


def test_squashing_inside_stays():
    gate = lambda m, x: m.last(m.features(x).mean((2, 3)) * torch.sigmoid(m.features(x).amax((2, 3))))  # noqa: E731
    network = hp.Network(Own(gate))
    torch.testing.assert_close(network.logits(IMAGES), Own(gate)(IMAGES).detach())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda module: torch.jit.trace(module, IMAGES)])
@pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid()])
def test_the_last_squashing_of_torchscript_is_cut(compiled, last):
    body = [nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)]
    expected = nn.Sequential(*body).eval()(IMAGES).detach()
    network = hp.Network(compiled(nn.Sequential(*body, last).eval()))
    torch.testing.assert_close(network.logits(IMAGES), expected)
    torch.testing.assert_close(network.module(IMAGES), expected)


WRITTEN = {
    "softmax": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "mean of maps": lambda z: z[:, :, None].expand(-1, -1, 2).softmax(1).mean(2),
    "log-softmax": lambda z: z - z.logsumexp(1, keepdim=True),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_probabilities_that_cannot_be_cut_are_not_called_logits(name):
    network = hp.Network(Own(head(WRITTEN[name])), name="net")
    expected = Own(KEPT["plain"])(IMAGES).detach().log_softmax(1)
    torch.testing.assert_close(network.logits(IMAGES), expected)
    assert not network.gives_logits
    (note,) = network.notes
    assert note.startswith("net ends in a softmax that cannot be taken off")
    given = {"order": "random", "regions": 4, "repeats": 1}
    with pytest.raises(InputError, match=r"net ends in a softmax .* choose the score log_probability"):
        hp.perturb(network, IMAGES, **given)
    curves = hp.perturb(network, IMAGES, **given, score="probability")
    plain = hp.perturb(hp.Network(Own(KEPT["plain"])), IMAGES, **given, score="probability")
    torch.testing.assert_close(curves.scores, plain.scores)
    with pytest.raises(InputError, match="choose the score log_probability"):
        hp.compare(network, IMAGES, ["gradient-x-input"], regions=4, protocol="samek2017")
    study = hp.compare(
        network,
        IMAGES,
        ["gradient-x-input", "sensitivity-l2"],
        regions=4,
        repeats=1,
        score="margin",
        protocol="samek2017",
    )
    assert note in study.notes
    assert all(condition.score != "logit" for condition in study.audit.conditions)


def test_a_record_follows_values_and_not_names():
    recorded = CallRecorder()
    with recorded:
        z = torch.rand(2, 3)
        z.sigmoid()  # nobody reads it
        scores = (1 - z).flatten(1)
    assert recorded.squashing(scores) == frozenset()


def test_a_graph_that_holds_for_two_images_alone_is_not_used():
    """The images change places twice, and the first stage of a graph evaluates two at a time."""

    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.large, self.scores = nn.Conv2d(3, 80, 3, padding=1), nn.Linear(80, 5)

        def forward(self, images):
            pooled = self.large(images.flip(0)).relu().amax((2, 3))
            return self.scores(pooled.flip(0))

    images = torch.rand(4, 3, 72, 72, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Turned()
    network = hp.Network(module)
    assert "other scores than the model" in network.without_graph((3, 72, 72))
    torch.testing.assert_close(network.logits(images), module(images).detach())


def test_whatever_a_graph_fails_with_is_the_reason_that_there_is_none(monkeypatch):
    def fails(self, images):
        raise IndexError("no such thing")

    monkeypatch.setattr(Graph, "evaluate", fails)
    network = hp.Network(Own(lambda m, x: m.scores(x)))
    assert "(IndexError: no such thing)" in network.without_graph(SHAPE)
    torch.testing.assert_close(network.logits(IMAGES), Own(lambda m, x: m.scores(x))(IMAGES).detach())
