"""Perturbed images are evaluated in another precision: in it, all of it but the end, and nothing else is."""

import pytest
import torch
from tests.fake_gpu import gpu
from tests.reference.small_networks import ReluCNN, randomised
from tests.reference.small_transformer import SmallTransformer
from torch import nn

import heatproof as hp
from heatproof.network import Network
from heatproof.network.exact import multiplying
from heatproof.network.precision import in_precision

SHAPE = (3, 18, 18)


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def networks():
    return {
        "cnn": Network(randomised(ReluCNN()).float()),
        "transformer": Network(randomised(SmallTransformer()).float()),
    }


def rounded(values):
    return values.to(torch.bfloat16).float()


def test_bf16_rounds_every_value_before_the_last_layer(images):
    """Two layers by hand: the first in bfloat16, its output too; the last reads that, and is in float32."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, last = (layer.requires_grad_(False) for layer in (nn.Linear(3 * 18 * 18, 7), nn.Linear(7, 4)))
    network = Network(nn.Sequential(nn.Flatten(), first, nn.ReLU(), last))
    hidden = rounded(rounded(images).flatten(1)) @ rounded(first.weight).T + rounded(first.bias)
    expected = rounded(hidden).relu() @ last.weight.T + last.bias
    found = in_precision(network, "bf16").logits(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=2**-8 * float(hidden.abs().max()))
    assert not torch.equal(found, network.logits(images))
    off = found - rounded(found)  # logits have more than eight bits
    assert bool((off != 0).any())


def test_a_copy_is_made_once_and_float32_is_the_network_itself(networks):
    network = networks["cnn"]
    assert in_precision(network, "float32") is network
    assert in_precision(network, "bf16") is in_precision(network, "bf16")


@pytest.mark.parametrize(("name", "engine", "more"), [("cnn", "full", {}), ("cnn", "incremental", {}),
    ("cnn", "auto", {"score": "probability"}), ("cnn", "incremental", {"against": "second"}),
    ("transformer", "full", {}), ("transformer", "auto", {"replacement": "drop"})])  # fmt: skip
def test_scores_in_bf16_are_near_and_not_the_same(name, engine, more, networks, images):
    options = {"regions": 3, "order": "random", "engine": engine} | more
    exact = hp.perturb(networks[name], images, **options).scores
    found = hp.perturb(networks[name], images, precision="bf16", **options).scores
    assert found.dtype == torch.float32
    spread = float(exact.max() - exact.min())
    assert 0 < float((found - exact).abs().max()) < 0.2 * spread


def test_engines_agree_in_bf16(networks, images):
    """Both round every value, so they differ by the rounding of sums alone, as in float32."""
    full, windows = (hp.perturb(networks["cnn"], images, order="random", regions=3, precision="bf16", engine=engine)
                     for engine in ("full", "incremental"))  # fmt: skip
    assert windows.engine.nodes_on_windows
    spread = float(full.scores.max() - full.scores.min())
    torch.testing.assert_close(full.scores, windows.scores, rtol=0, atol=0.02 * spread)


def test_float32_is_as_without_the_option(networks, images):
    options = {"regions": 3, "order": "random"}
    plain, named = (
        hp.perturb(networks["cnn"], images, **options),
        hp.perturb(networks["cnn"], images, precision="float32", **options),
    )
    assert torch.equal(plain.scores, named.scores)


def test_heatmaps_and_predictions_stay_as_they_are(networks, images):
    network = networks["cnn"]
    before = hp.explain(network, images, "lrp-epsilon"), network.predict(images)
    hp.perturb(network, images, order="random", regions=6, precision="bf16")
    assert torch.equal(hp.explain(network, images, "lrp-epsilon"), before[0])
    assert torch.equal(network.predict(images), before[1])


def test_tf32_needs_a_gpu(networks, images):
    with pytest.raises(hp.InputError, match=r"precision tf32 needs an NVIDIA GPU, and .* is on cpu"):
        hp.perturb(networks["cnn"], images, order="random", precision="tf32")


def test_an_unknown_precision_is_refused(networks, images):
    with pytest.raises(hp.InputError, match="unknown precision 'bf61'; did you mean 'bf16'"):
        hp.perturb(networks["cnn"], images, order="random", precision="bf61")


def test_bf16_needs_a_graph(images):
    class Unread(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(torch.from_numpy(x.detach().numpy()).mean((2, 3)))

    with pytest.raises(hp.InputError, match="precision bf16 needs the graph of the network, and Unread has none"):
        hp.perturb(Network(Unread()), images, order="random", precision="bf16")


class Watching(nn.Module):
    """Notes what torch allows while it computes."""

    seen: list = []

    def forward(self, x):
        Watching.seen.append((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
        return torch.from_numpy(x.detach().cpu().numpy()).mean((2, 3)) if not x.requires_grad else x.mean((2, 3))


@pytest.mark.parametrize("way", ["logits", "predict", "explain", "perturb"])
def test_tf32_is_off_in_results_and_as_it_was_afterwards(way, images):
    network = Network(Watching())
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("medium")
    Watching.seen.clear()
    try:
        if way == "explain":
            hp.explain(network, images, "gradient-x-input")
        elif way == "perturb":
            hp.perturb(network, images, order="random", regions=6)
        else:
            getattr(network, way)(images)
        assert (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()) == (True, "medium")
    finally:
        torch.backends.cudnn.allow_tf32 = before
        torch.set_float32_matmul_precision("highest")
    assert Watching.seen
    assert set(Watching.seen) == {(False, "highest")}


def test_tf32_is_on_where_scores_are_evaluated_in_it(images):
    allowed = []
    with gpu():
        network = Network(randomised(ReluCNN()).float(), device="cuda")
        copy = in_precision(network, "tf32")
        graph = copy.graph(SHAPE)
        operation = type(graph.nodes[0].operation)
        evaluate = operation.evaluate

        def watched(self, *inputs):
            allowed.append(torch.backends.cuda.matmul.allow_tf32)
            return evaluate(self, *inputs)

        operation.evaluate = watched
        try:
            for engine in ("full", "incremental"):
                allowed.clear()
                hp.perturb(network, images, order="random", regions=6, precision="tf32", engine=engine)
                assert allowed
                assert allowed[-1]
            allowed.clear()
            hp.perturb(network, images, order="random", regions=6)
            assert not any(allowed)
        finally:
            operation.evaluate = evaluate


def test_switches_of_torch_are_put_back_when_something_fails():
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    with pytest.raises(KeyError, match="x"), multiplying(tf32=True):
        raise KeyError("x")
    assert (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()) == before


class Heads(nn.Module):
    """Two heads whose mean is the score, as in a distilled DeiT; or nothing that is weighted."""

    def __init__(self, heads):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 3), nn.ReLU(), nn.Flatten())
        self.heads = nn.ModuleList(nn.Linear(288, 4) for _ in range(heads))
        for head in self.heads:
            head.bias.data.add_(20)

    def forward(self, images):
        features = self.body(images)
        return sum(head(features) for head in self.heads) / len(self.heads)


@pytest.mark.parametrize("heads", [1, 2])
def test_no_head_is_rounded_to_eight_bits(heads, images):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(Heads(heads).requires_grad_(False))
    found, expected = in_precision(network, "bf16").logits(images), network.logits(images)
    assert not torch.equal(found, expected)
    assert float((found - expected).abs().max()) < 0.01  # a step of eight bits near 20 is 1/8


def test_a_network_without_weights_keeps_its_precision(images):
    network = Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    found = in_precision(network, "bf16").logits(images)
    torch.testing.assert_close(found, rounded(images).mean((2, 3)))


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="torch says this since 2.9")
def test_switches_of_onednn_are_put_back():
    before = torch.backends.mkldnn.matmul.fp32_precision
    try:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"
        with multiplying(tf32=False):
            assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before
