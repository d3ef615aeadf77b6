"""Tokens of removed patches are left out: equal to masked keys, to closed forms, and refused where that cannot be."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.vision_transformer import VisionTransformer

from heatproof import InputError, Network
from heatproof.network.tokens.following import Beside

MODELS = Path(__file__).parents[3] / "shared" / "weights" / "models.py"


def stirred(module, seed=0):
    """The module in float64 with weights of which each makes a difference, in evaluation."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = values * (0.5 if parameter.ndim < 2 else 1.5 / math.sqrt(parameter[0].numel()))
    return module.double().eval().requires_grad_(False)


def images_of(side, count=2):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1)).double()


def some(count, left, images=2):
    """(images, left) patches in ascending order, others for each image."""
    draws = [torch.randperm(count, generator=torch.Generator().manual_seed(seed)) for seed in range(images)]
    return torch.stack([drawn[:left].sort().values for drawn in draws])


def without(network, images, patches):
    """(B, classes) scores with these patches only."""
    tokens = network.tokens(tuple(images.shape[1:]))
    inputs = network.inputs(images)
    return tokens.evaluate(tokens.embed(inputs), patches)


class Small(nn.Module):
    """A vision transformer written out, whose forward pass can mask keys and pool over some tokens."""

    def __init__(self, pool="class", dim=16, heads=2, side=4, patch=4):
        super().__init__()
        self.heads, self.pool = heads, pool
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.places = nn.Parameter(torch.zeros(1, side**2, dim))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(dim),
                    "qkv": nn.Linear(dim, 3 * dim),
                    "out": nn.Linear(dim, dim),
                    "before": nn.LayerNorm(dim),
                    "mlp": nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)),
                }
            )
            for _ in range(2)
        )
        self.head = nn.Linear(dim, 5)

    def forward(self, images):
        return self.masked(images, None)

    def masked(self, images, left):
        """Scores with the keys of all patches but those ``left`` (B, N), boolean, masked."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        if self.pool == "class":
            tokens = torch.cat([self.token.expand(images.shape[0], -1, -1), tokens], dim=1)
            left = None if left is None else torch.cat([torch.ones_like(left[:, :1]), left], dim=1)
        for block in self.blocks:
            tokens = tokens + self._attention(block, block["norm"](tokens), left)
            tokens = tokens + block["mlp"](block["before"](tokens))
        if self.pool == "class":
            return self.head(tokens[:, 0])
        if left is None:
            return self.head(tokens.mean(dim=1))
        return self.head((tokens * left[..., None]).sum(dim=1) / left.sum(dim=1, keepdim=True))

    def _attention(self, block, tokens, left):
        batch, count, dim = tokens.shape
        together = block["qkv"](tokens).reshape(batch, count, 3, self.heads, dim // self.heads)
        queries, keys, values = together.permute(2, 0, 3, 1, 4).unbind(0)
        logits = queries @ keys.transpose(-2, -1) / math.sqrt(dim // self.heads)
        if left is not None:
            logits = logits.masked_fill(~left[:, None, None], -math.inf)
        mixed = (logits.softmax(dim=-1) @ values).transpose(1, 2).reshape(batch, count, dim)
        return block["out"](mixed)


@pytest.mark.parametrize("pool", ["class", "mean"])
@pytest.mark.parametrize("left", [1, 5, 15])
def test_equals_masked_keys_of_a_transformer_written_by_hand(pool, left):
    module, images, patches = stirred(Small(pool)), images_of(16), some(16, left)
    expected = module.masked(images, torch.zeros(2, 16, dtype=torch.bool).scatter(1, patches, True))
    found = without(Network(module), images, patches)
    untouched = module(images)
    assert float((expected - untouched).abs().max()) > 1e-2  # it makes a difference at all
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(untouched.max() - untouched.min()))


def test_float32_holds_a_thousandth_of_the_range():
    module, images, patches = stirred(Small()), images_of(16), some(16, 6)
    exact = without(Network(module), images, patches)
    found = without(Network(module.float()), images.float(), patches)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-4 * float(exact.max() - exact.min()))


def test_uniform_attention_has_a_closed_form():
    """With queries of zero, attention is the mean of the values; with mean pooling, scores are means over tokens."""
    module = stirred(Small("mean"))
    module.blocks = module.blocks[:1]
    (block,) = module.blocks
    with torch.no_grad():
        block["qkv"].weight[:16], block["qkv"].bias[:16] = 0, 0
        block["mlp"][2].weight.zero_()
        block["norm"] = nn.Identity()
        embedded = module.patches(images_of(16)).flatten(2).transpose(1, 2) + module.places
        patches = some(16, 7)
        mean = torch.stack([one[chosen].mean(dim=0) for one, chosen in zip(embedded, patches, strict=True)])
        values = mean @ block["qkv"].weight[32:].t() + block["qkv"].bias[32:]
        expected = module.head(mean + block["out"](values) + block["mlp"][2].bias)
    torch.testing.assert_close(without(Network(module), images_of(16), patches), expected)


def timm_model(name, side=64, **options):
    timm = pytest.importorskip("timm")
    return lambda: (timm.create_model(name, img_size=side, num_classes=5, **{"depth": 2, **options}), side)


def transformers_model(name, configuration, **options):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    given = sizes | {"image_size": 32, "patch_size": 8, "num_labels": 5} | options
    return lambda: (getattr(transformers, name)(getattr(transformers, configuration)(**given)), 32)


def torchvision_model():
    return VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5), 32


TINY, NARROW = "vit_tiny_patch16_224", {"embed_dim": 48, "num_heads": 4}
FAMILIES = {  # what makes it, how many patches must be left, whether their tokens are read behind the last attention
    "torchvision": (lambda: torchvision_model, 0, False),
    "class token": (lambda: timm_model(TINY), 0, False),
    "mean": (lambda: timm_model(TINY, global_pool="avg", class_token=False), 1, True),
    "mean beside a class token": (lambda: timm_model(TINY, global_pool="avg"), 1, True),
    "maximum": (lambda: timm_model(TINY, global_pool="max"), 1, True),
    "any size": (lambda: timm_model(TINY, dynamic_img_size=True), 0, False),
    "registers": (lambda: timm_model("vit_small_patch14_reg4_dinov2", 56, **NARROW), 0, False),
    "distilled": (lambda: timm_model("deit_tiny_distilled_patch16_224"), 0, False),
    "attention pooling": (lambda: timm_model("vit_base_patch16_siglip_224", **NARROW), 1, True),
    "relative positions": (lambda: timm_model("beit_base_patch16_224", **NARROW), 1, True),
    "rotary positions": (lambda: timm_model("vit_small_patch16_dinov3", **NARROW), 1, True),
    "transformers, ViT": (lambda: transformers_model("ViTForImageClassification", "ViTConfig"), 0, False),
    "transformers, DINOv2": (lambda: transformers_model("Dinov2ForImageClassification", "Dinov2Config"), 1, True),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_equal_masked_keys(family):
    make, least, _ = FAMILIES[family]
    module, side = make()()
    network, images = Network(stirred(module)), images_of(side)
    tokens, inputs = network.tokens((3, side, side)), network.inputs(images)
    assert tokens.least == least
    every = torch.arange(tokens.grid.count).expand(2, -1)
    untouched = network.logits(images)
    torch.testing.assert_close(tokens.evaluate(tokens.embed(inputs), every), untouched, rtol=0, atol=1e-13)
    bound = 1e-8 * float(untouched.max() - untouched.min())
    for left in {max(1, least), tokens.grid.count // 2, tokens.grid.count - 1}:
        patches = some(tokens.grid.count, left)
        found, expected = tokens.evaluate(tokens.embed(inputs), patches), tokens.masked(inputs, patches)
        torch.testing.assert_close(found, expected, rtol=0, atol=bound)
        assert float((found - untouched).abs().max()) > 100 * bound


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_computed_without_tokens_that_none_of_them_reads(family):
    make, _, patches_are_read = FAMILIES[family]
    module, side = make()()
    network, images = Network(stirred(module)), images_of(side, 3)
    graph, scoring = (network.graph((3, side, side), unread=unread) for unread in (True, False))
    assert (scoring is graph) == patches_are_read
    torch.testing.assert_close(scoring.evaluate(images), graph.evaluate(images), rtol=0, atol=1e-13)
    torch.testing.assert_close(network.logits(images), network.forward_pass(images).logits, rtol=0, atol=1e-13)
    assert (scoring.multiply_adds < graph.multiply_adds) != patches_are_read


def test_behind_the_last_attention_the_class_token_is_alone():
    """Multiply-adds by hand: of 17 tokens, the last block's output layer and MLP see one."""
    graph, scoring = (Network(Small()).graph((3, 16, 16), unread=unread) for unread in (True, False))
    assert graph.multiply_adds - scoring.multiply_adds == 16 * (16 * 16 + 2 * 16 * 32)
    shapes = {name: tuple(value.shape) for name, value in scoring.visit(torch.zeros(1, 3, 16, 16))}
    assert shapes == {node.name: (1, *node.shape) if node.batched else node.shape for node in scoring}
    assert not any(node.shape == (17, 32) for node in scoring.nodes[len(scoring) // 2 + 5 :])


def test_scores_that_differ_without_unread_tokens_are_those_of_all(monkeypatch):
    monkeypatch.setattr(Beside, "evaluate", lambda self, value: value.narrow(self.dimension, 1, 1))
    network = Network(stirred(Small()))
    assert network.graph((3, 16, 16), unread=False) is network.graph((3, 16, 16))


class OneAttention(nn.Module):
    """Special tokens, one attention, and whatever a test has of both."""

    def __init__(self, attention, special=1, read=lambda tokens: tokens[:, 0]):
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 5)
        self.special, self.bias = nn.Parameter(torch.zeros(1, special, 8)), nn.Linear(8, 8)
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)
        self.attention, self.read = attention, read

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.special.expand(images.shape[0], -1, -1), tokens], dim=1)
        return self.head(self.read(self.attention(self, tokens)))


def with_computed_bias(m, tokens):
    """Each query has a row of the mask."""
    mask = tokens @ m.bias(tokens).transpose(1, 2)
    return nn.functional.scaled_dot_product_attention(tokens, 2 * tokens, tokens, attn_mask=mask)


def with_computed_mask(m, tokens):
    mask = tokens @ m.bias(tokens).transpose(1, 2) > -1
    return nn.functional.scaled_dot_product_attention(tokens, 2 * tokens, tokens, attn_mask=mask)


def with_a_mask_for_all(m, tokens):
    """All queries share a row of the mask."""
    mask = m.bias(tokens).sum(-1)[:, None]
    return nn.functional.scaled_dot_product_attention(tokens, 2 * tokens, tokens, attn_mask=mask)


def of_one_value(m, tokens):
    """Queries, keys and values are one variable."""
    return tokens + nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


def of_torch(m, tokens, **options):
    return tokens + m.inner(tokens, tokens, tokens, **options)[0]


def of_torch_without_weights(m, tokens):
    return of_torch(m, tokens, need_weights=False)


@pytest.mark.parametrize(("attention", "shorter"), [
    (with_computed_bias, False), (with_computed_mask, False), (with_a_mask_for_all, True), (of_one_value, True),
    (of_torch, True), (of_torch_without_weights, True),
])  # fmt: skip
@pytest.mark.parametrize("special", [1, 5])
def test_attention_of_any_form(attention, shorter, special):
    module, images = stirred(OneAttention(attention, special)), images_of(16, 3)
    network = Network(module)
    graph, scoring = (network.graph((3, 16, 16), unread=unread) for unread in (True, False))
    assert (scoring is not graph) == shorter
    torch.testing.assert_close(network.logits(images), module(images), rtol=1e-12, atol=1e-12)
    if attention in (of_one_value, of_torch, of_torch_without_weights):
        tokens, inputs, patches = network.tokens((3, 16, 16)), network.inputs(images[:2]), some(16, 7)
        found, expected = tokens.evaluate(tokens.embed(inputs), patches), tokens.masked(inputs, patches)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("index", [0, -17])
def test_a_class_token_by_any_number(index):
    module = stirred(OneAttention(of_one_value, read=lambda tokens: tokens.select(1, index)))
    network, images = Network(module), images_of(16)
    assert network.graph((3, 16, 16), unread=False) is not network.graph((3, 16, 16))
    torch.testing.assert_close(network.logits(images), module(images), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(without(network, images, some(16, 16)), module(images), rtol=1e-12, atol=1e-12)


def test_no_patch_at_all_leaves_the_class_token():
    module, images = stirred(Small()), images_of(16)
    expected = module.masked(images, torch.zeros(2, 16, dtype=torch.bool))
    found = without(Network(module), images, torch.empty(2, 0, dtype=torch.long))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found[0], found[1])  # nothing of the image is left


def test_a_patch_that_is_left_out_cannot_be_seen():
    network, images, patches = Network(stirred(Small())), images_of(16), some(16, 9)
    changed = images.clone()
    for number, left in enumerate(patches):
        for gone in set(range(16)) - set(left.tolist()):
            row, column = divmod(gone, 4)
            changed[number, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 0.5
    assert torch.equal(without(network, images, patches), without(network, changed, patches))


def test_patches_are_those_of_the_image():
    tokens = Network(torchvision_model()[0]).tokens((3, 32, 32))
    assert (tokens.grid.rows, tokens.grid.columns, tokens.grid.height, tokens.grid.width) == (4, 4, 8, 8)


class Mixing(nn.Module):
    """Tokens that are mixed in some way."""

    def __init__(self, mix):
        super().__init__()
        self.patches, self.head, self.mix = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 5), mix

    def forward(self, images):
        return self.head(self.mix(self.patches(images).flatten(2).transpose(1, 2)))


def linear_attention(tokens):
    keys = tokens.exp()
    return (keys @ (keys.transpose(1, 2) @ tokens))[:, 0]


class Slide(nn.Module):
    def forward(self, tokens):
        return tokens.roll(1, dims=1).mean(dim=1)


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.over_tokens = nn.Linear(16, 16)

    def forward(self, tokens):
        return self.over_tokens(tokens.transpose(1, 2)).mean(dim=2)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, tokens):
        return self.function(tokens)


REFUSED = {
    "windows": (models.swin_t, 64, r"padded or repeated, as for windows .* \(at features.1.0.attn \(pad\)\)"),
    "convolutions": (models.resnet18, 64, r"patches of 7 × 7 positions that overlap, .* \(at conv1 \(conv2d\)\)"),
    "mixer": (lambda: Mixing(Fixed()), 16, r"mixed by fixed weights, .* \(at mix.over_tokens \(linear\)\)"),
    "shifted": (lambda: Mixing(Slide()), 16, r"tokens are moved, as by shifted windows \(at mix \(roll\)\)"),
    "sum": (lambda: Mixing(Function(lambda tokens: tokens.sum(dim=1))), 16, "a sum or a norm over tokens"),
    "one patch": (lambda: Mixing(Function(lambda tokens: tokens[:, 3])), 16, "one patch's token is read by its number"),
    "first half": (lambda: Mixing(Function(lambda t: t[:, :8].mean(1))), 16, "some patches' tokens are read by their"),
    "divided": (lambda: Mixing(Function(lambda t: t.unflatten(1, (4, 4)).mean((1, 2)))), 16, "divided into windows"),
    "linear attention": (lambda: Mixing(Function(linear_attention)), 16, "weights that are no softmax over them"),
    "nothing mixed": (lambda: nn.Sequential(nn.Conv2d(3, 5, 4, 4), nn.Flatten(), nn.Linear(80, 2)), 16, "fixed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason_and_the_place(name):
    make, side, message = REFUSED[name]
    with pytest.raises(InputError, match=rf"replacement 'drop' .*, and cannot on \w+: .*{message}"):
        Network(make()).tokens((3, side, side))


def test_whatever_goes_wrong_is_a_reason(monkeypatch):
    def broken(*_):
        raise NotImplementedError("an operator\nthat nobody knows")

    monkeypatch.setattr("heatproof.network.tokens.dropping.follow", broken)
    with pytest.raises(InputError, match=r"on Small: NotImplementedError: an operator$"):
        Network(Small()).tokens((3, 16, 16))


def test_what_differs_from_masked_keys_is_refused(monkeypatch):
    network = Network(stirred(Small()))
    monkeypatch.setattr("heatproof.network.tokens.layout.Kept.bias", lambda *_: torch.zeros(()))
    with pytest.raises(InputError, match=r"scores without tokens differ by \S+ from those with masked keys, .* range"):
        network.tokens((3, 16, 16))


class AnyBatch(nn.Module):
    """The transformer of the folder shared, written so that the exporter leaves the size of the batch open."""

    def __init__(self, vit):
        super().__init__()
        self.vit = vit

    def forward(self, images):
        tokens = self.vit.patch_embed.proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.vit.cls_token.expand(images.shape[0], -1, -1), tokens], 1) + self.vit.pos_embed
        return self.vit.mlp_head(self.vit.transformer(tokens)[:, 0])


@pytest.mark.skipif(not MODELS.exists(), reason="needs the folder shared")
class TestTrained:
    def load(self, name):
        spec = importlib.util.spec_from_file_location("shared_models", MODELS)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        from safetensors.torch import load_file

        made = getattr(module, name)()
        made.load_state_dict(load_file(MODELS.with_name(f"{name}.safetensors")))
        return made

    def test_overlapping_patches_are_refused(self):
        with pytest.raises(InputError, match=r"patches of 3 × 3 positions that overlap, .* \(at tokenizer"):
            Network(self.load("cct_cifar10")).tokens((3, 32, 32))

    def test_a_post_norm_transformer_equals_masked_keys(self):
        module = self.load("vit_cifar10").double().requires_grad_(False)
        network, images, patches = Network(AnyBatch(module)), images_of(32), some(64, 20)
        tokens = network.tokens((3, 32, 32))
        gone = torch.ones(2, 65, dtype=torch.bool).scatter(1, patches + 1, False)
        gone[:, 0] = False
        embedded = module.patch_embed.proj(images).flatten(2).transpose(1, 2)
        sequence = torch.cat([module.cls_token.expand(2, -1, -1), embedded], 1) + module.pos_embed
        expected = module.mlp_head(module.eval().transformer(sequence, src_key_padding_mask=gone)[:, 0])
        found = tokens.evaluate(tokens.embed(network.inputs(images)), patches)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.max() - expected.min()))
