"""Attention: its rules against plain loops, where its weights are found, and which layers are its projections."""

import attention_rules
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.errors import InputError
from heatproof.network.attention import projections
from heatproof.network.export import export
from heatproof.network.operations import Call, Trace, Variable
from heatproof.network.operations.attention import Attention, MatMul
from heatproof.network.rules import Composite, Epsilon, Gamma

SDPA = torch.ops.aten.scaled_dot_product_attention.default
TOKENS, WIDTH = 5, 4
CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # denominators have a stabiliser
MASKED = -torch.inf


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def attention(mask=None, **options):
    """The operation for queries, keys and values, and perhaps a mask, of one head."""
    variables = {name: Variable(name, (TOKENS, WIDTH)) for name in ("query", "key", "value")}
    given = {"attn_mask": mask, "dropout_p": 0.0, "is_causal": False, "scale": None, "enable_gqa": False}
    return Attention(Call(SDPA, variables | given | options))


def relevance_of(operation, *inputs, bias=True):
    output = operation.evaluate(*inputs)
    sent = drawn(*output.shape, seed=9)
    return sent, operation.relevance(Trace(inputs, output), sent, Epsilon(bias=bias))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_follows_the_loops(masked):
    query, key, value = (drawn(1, TOKENS, WIDTH, seed=seed) for seed in range(3))
    added = drawn(TOKENS, TOKENS, seed=3) if masked else torch.zeros(TOKENS, TOKENS, dtype=torch.float64)
    if masked:
        added[1, 2:] = MASKED
    operation = attention(Variable("attn_mask", (TOKENS, TOKENS)))
    inputs = (query, key, value, added[None])
    lists = [tensor[0].tolist() for tensor in inputs]
    sent, (no_query, no_key, of_values, no_mask) = relevance_of(operation, *inputs)
    assert no_query is no_key is no_mask is None
    assert operation.carries("relevance", 4) == (False, False, True, False)
    expected = attention_rules.constant_rule(*lists, sent[0].tolist())
    torch.testing.assert_close(of_values[0], torch.tensor(expected, dtype=torch.float64), **CLOSE)
    sent, found = relevance_of(operation.followed(), *inputs)
    *expected, of_added = attention_rules.taylor_rule(*lists, sent[0].tolist())
    for mine, theirs in zip(found, [*expected, of_added], strict=True):
        finite = torch.tensor(theirs, dtype=torch.float64).nan_to_num(nan=0.0)
        torch.testing.assert_close(mine[0], finite, **CLOSE)


def test_masks_of_every_kind_are_the_same_mask():
    """Causal, boolean, additive, constant or computed; what sees nothing gets no relevance, and none is NaN."""
    inputs = tuple(drawn(2, TOKENS, WIDTH, seed=seed) for seed in range(3))
    seen = torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
    added = torch.zeros(TOKENS, TOKENS, dtype=torch.float64).masked_fill(~seen, MASKED)
    for make in (lambda operation: operation, lambda operation: operation.followed()):
        _, expected = relevance_of(make(attention(is_causal=True)), *inputs)
        for mask in (seen, added):
            for bias in (True, False):
                _, found = relevance_of(make(attention(mask)), *inputs, bias=bias)
                for mine, theirs in zip(found, expected, strict=True):
                    if theirs is not None:
                        torch.testing.assert_close(mine, theirs, **CLOSE)
        seen_by_none = seen.clone()
        seen_by_none[1] = False
        _, found = relevance_of(make(attention(seen_by_none)), *inputs)
        assert all(bool(part.isfinite().all()) for part in found if part is not None)


def test_heads_that_share_keys_and_values():
    query, key, value = drawn(2, 4, TOKENS, WIDTH), *(drawn(2, 2, TOKENS, WIDTH, seed=seed) for seed in (1, 2))
    repeated = [tensor.repeat_interleave(2, dim=1) for tensor in (key, value)]
    for make in (lambda operation: operation, lambda operation: operation.followed()):
        _, shared = relevance_of(make(attention(enable_gqa=True)), query, key, value)
        _, separate = relevance_of(make(attention()), query, *repeated)
        for mine, theirs in zip(shared, separate, strict=True):
            if theirs is not None:
                summed = theirs if theirs.shape == mine.shape else theirs.unflatten(1, (2, 2)).sum(dim=2)
                torch.testing.assert_close(mine, summed)


# --- in a graph


class Tokens(nn.Module):
    """Tokens of a small image, and one attention as ``attend`` writes it: (m, q, k, v) -> (B, heads, tokens, width)."""

    def __init__(self, attend):
        super().__init__()
        torch.manual_seed(0)
        self.attend = attend
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 5)
        self.mix, self.norm = nn.Conv2d(2, 2, 1), nn.LayerNorm(8)
        self.bias = nn.Parameter(torch.randn(2, 9, 9))
        self.double()

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).reshape(x.shape[0], 9, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.out(self.attend(self, q, k, v).transpose(1, 2).reshape(x.shape[0], 9, 8))
        x = x + self.down(F.gelu(self.up(x)))
        return self.head(x.mean(1))


def scores(m, q, k, v):
    return (q @ k.mT) / 2


def masked(m, q, k, v):
    hidden = torch.ones(9, 9, dtype=torch.bool).triu(3)
    return scores(m, q, k, v).masked_fill(hidden, MASKED) + m.bias


def talking_heads(m, q, k, v):
    return m.mix(m.mix(scores(m, q, k, v)).softmax(-1)) @ v


def dropped(m, q, k, v):
    weights = masked(m, q, k, v).softmax(-1)
    weights = torch.where(torch.ones(9, 9, dtype=torch.bool).tril(), weights, 0.0)
    return (weights / (weights.sum(-1, keepdim=True) + 1e-6)) @ v


def normalised(m, q, k, v):
    return scores(m, F.normalize(q, dim=-1), F.normalize(k, dim=-1), v).softmax(-1) @ v


def rotary(m, q, k, v):
    angle = torch.arange(9.0, dtype=torch.float64)[:, None]
    q, k = (x * angle.cos() + torch.cat([-x[..., 2:], x[..., :2]], dim=-1) * angle.sin() for x in (q, k))
    return F.scaled_dot_product_attention(q, k, v)


def transposed(m, q, k, v):  # attention between channels
    return ((k.mT @ q).softmax(-1).mT @ v.mT).mT


GATED = {
    "masked": lambda m, q, k, v: masked(m, q, k, v).softmax(-1) @ v, "talking heads": talking_heads,
    "dropped": dropped, "normalised": normalised, "between channels": transposed,
    "twice": lambda m, q, k, v: scores(m, q, k, v).softmax(-1) @ (scores(m, k, q, v).softmax(-1) @ v),
    "product of weights": lambda m, q, k, v: (scores(m, q, k, v).softmax(-1) @ scores(m, k, q, v).softmax(-1)) @ v,
    "einsum": lambda m, q, k, v: torch.einsum("bhij,bhjd->bhid", scores(m, q, k, v).softmax(-1), v),
}  # fmt: skip
IMAGES = torch.rand(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", GATED)
def test_weights_of_attention_are_a_gate(name):
    """Each relevance conserves f but for biases; queries and keys get none unless it goes on through the softmax."""
    network = hp.Network(Tokens(GATED[name]))
    graph = network.graph(IMAGES.shape[1:])
    products = [node.operation for node in graph if isinstance(node.operation, MatMul)]
    assert any(product.carrier is not None for product in products)
    assert not any(product.carrier is not None for product in (node.operation for node in graph.followed)
                   if isinstance(product, MatMul))  # fmt: skip
    constant, taylor = (
        hp.explain(network, IMAGES, f"lrp-attention[softmax={softmax}]") for softmax in ("constant", "taylor")
    )
    assert float((constant - taylor).abs().max()) > 1e-3 * float(constant.abs().max())
    assert len(projections(graph)) >= 2


def test_other_products_of_matrices_share_in_both_ways():
    network = hp.Network(Tokens(lambda m, q, k, v: q @ (k.mT @ v)))
    assert all(node.operation.carrier is None for node in network.graph(IMAGES.shape[1:])
               if isinstance(node.operation, MatMul))  # fmt: skip
    found = [hp.explain(network, IMAGES, f"lrp-attention[softmax={softmax}]") for softmax in ("constant", "taylor")]
    torch.testing.assert_close(*found)


def test_a_softmax_that_is_no_attention():
    network = hp.Network(Tokens(lambda m, q, k, v: q.softmax(-1)))
    with pytest.raises(InputError, match=r"softmax.*: no relevance rule .* no weights of attention"):
        hp.explain(network, IMAGES, "lrp-attention")
    assert hp.explain(network, IMAGES, "lrp-attention[softmax=taylor]").shape == (2, 12, 12)


@pytest.mark.parametrize("attend", [scores, rotary, talking_heads, normalised, transposed])
def test_projections_are_told_from_the_mlp(attend):
    module = Tokens(attend if attend is not scores else lambda m, q, k, v: scores(m, q, k, v).softmax(-1) @ v)
    graph = export(module, tuple(IMAGES.shape[1:]))
    found = {node.place for node in graph if node.name in projections(graph)}
    assert {"qkv (linear)", "out (linear)"} <= found
    assert found <= {"qkv (linear)", "out (linear)", "mix (conv2d)"}


def test_projections_take_their_rule():
    """In a network whose only layers are a patch embedding, projections and a head, γ of projections is γ of all."""
    forward = hp.Network(Tokens(rotary)).forward_pass(IMAGES)
    gamma, epsilon = Gamma(0.25), Epsilon()
    mixed = forward.relevance(Composite(epsilon, epsilon, epsilon, projection=gamma)).heatmaps
    plain = forward.relevance(Composite(epsilon, epsilon, epsilon)).heatmaps
    other = forward.relevance(Composite(epsilon, epsilon, gamma, projection=epsilon)).heatmaps
    assert float((mixed - plain).abs().max()) > 1e-3
    assert float((other - mixed).abs().max()) > 1e-3


def test_torchvisions_projections():
    vit = models.VisionTransformer(
        image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=5
    )
    graph = export(vit.eval(), (3, 16, 16))
    assert sorted({node.place for node in graph if node.name in projections(graph)}) == [
        f"encoder.layers.encoder_layer_{number}.self_attention (linear)" for number in (0, 1)
    ]


def test_leaves_are_named():
    module = Tokens(lambda m, q, k, v: masked(m, q, k, v).softmax(-1) @ v)
    forward = hp.Network(module).forward_pass(IMAGES)
    epsilon = Epsilon()
    flow = forward.relevance(Composite(epsilon, epsilon, epsilon, softmax="taylor")).flow
    named = {one.place: one.keeps for one in flow}
    assert named["bias (positions)"] == "positions"
    assert named["the model's own softmax"] == "attention's softmax"
    assert named["norm (layer_norm)"] == "β of norms"
    assert named["out (linear)"] == "biases"


def test_a_head_behind_attention_is_no_projection():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.scored, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 1), nn.Linear(8, 5)

        def forward(self, x):
            x = self.embed(x).flatten(2).transpose(1, 2)
            return self.head((self.scored(x).softmax(1).mT @ x).squeeze(1))

    graph = export(Pooled(), tuple(IMAGES.shape[1:]))
    assert {node.place for node in graph if node.name in projections(graph)} == {"embed (conv2d)"}
