"""Maps of attention against plain loops with a transformer written out, hooks on timm's, and closed forms."""

import pytest
import torch
import torch.nn.functional as F
from attention_rules import gradient_is_relevance
from small_networks import ReluCNN, randomised
from small_transformer import SmallTransformer, gradient_rollout, in_patches, legrad_tokens, recorded, rollout
from torchvision import models

import heatproof as hp
from heatproof import InputError
from heatproof.heatmaps import METHODS
from heatproof.heatmaps.methods import of_attention
from heatproof.network.operations import relevance

pytestmark = pytest.mark.filterwarnings("ignore")  # of other libraries
NAMES = [name for name in METHODS if of_attention(name)]
SIZE = (14, 19)  # patches of 3 × 3 pixels: 4 × 6 of them, and a border
FUSED = {"mean": lambda a: a.mean(dim=0), "max": lambda a: a.max(dim=0)[0], "min": lambda a: a.min(dim=0)[0]}
POOLS = [("class", 0), ("class", 2), ("mean", 0), ("mean", 2), ("learned", 0), ("both", 1)]
pools = pytest.mark.parametrize(("pool", "registers"), POOLS)
EXACT = 1e-9


@pytest.fixture
def images():
    return torch.rand(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def made(pool="class", **options):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = SmallTransformer(pool, **options)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
    return module.double().eval()


def close(found, expected):
    largest = float(expected.abs().max())
    assert largest > 0
    assert float(found.std()) > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=EXACT * largest)


def by_hand(module, product):
    """(H, W) of the rows of a product that the head asks about."""
    product = product.detach()
    row = product[0] if module.pool in ("class", "both") else product[: 4 * 6].mean(dim=0)
    return in_patches(row, module.before, 4, 6, 3, SIZE)


@pools
@pytest.mark.parametrize("heads", FUSED)
def test_rollout_is_the_loop(pool, registers, heads, images):
    module = made(pool, registers=registers)
    expected = [by_hand(module, rollout(recorded(module, image, 1)[0], FUSED[heads])) for image in images]
    close(hp.explain(hp.Network(module), images, f"attention-rollout[heads={heads}]"), torch.stack(expected))


@pools
def test_gradient_rollout_is_the_loop(pool, registers, images):
    module = made(pool, registers=registers)
    expected = []
    for image in images:
        product = gradient_rollout(*recorded(module, image, 3))
        expected.append(by_hand(module, product - torch.eye(len(product))))
    close(hp.explain(hp.Network(module), images, "gradient-attention-rollout", targets=3), torch.stack(expected))


@pools
def test_legrad_asks_the_head_about_the_tokens_of_each_block(pool, registers, images):
    module = made(pool, registers=registers)
    tokens = [legrad_tokens(module, image, 2) for image in images]
    expected = torch.stack([in_patches(one, module.before, 4, 6, 3, SIZE) for one in tokens])
    close(hp.explain(hp.Network(module), images, "legrad", targets=2), expected)


def z_plus(x, weight, bias=None):
    """A dense layer whose gradient, times its input, is z⁺; where nothing is positive there is none."""
    value = linear(x, weight, bias).detach()
    positive = linear(x.clamp(min=0), weight.clamp(min=0)) + linear(x.clamp(max=0), weight.clamp(max=0))
    ratio = torch.where(positive == 0, torch.zeros_like(value), value / positive).detach()
    return positive * ratio + torch.where(positive == 0, value, torch.zeros_like(value))


linear = F.linear


def without_bias(x, shape, weight, bias, eps=1e-5):
    """A layer norm whose gradient, times its input, leaves the bias out of denominators."""
    centred = x - x.mean(-1, keepdim=True)
    value = weight * centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt().detach()
    return value * ((value + bias) / value).detach()


@pytest.fixture
def without_stabiliser(monkeypatch):
    monkeypatch.setattr(relevance.divided, "__defaults__", (1e-30,))


@pools
@pytest.mark.usefixtures("without_stabiliser")
def test_transformer_attribution_takes_the_relevance_of_weights(pool, registers, images, monkeypatch):
    """Weights ⊙ gradient of a network rebuilt for it, once with its own gradient and once with the rules."""
    module = made(pool, registers=registers)
    expected = []
    for image in images:
        _, gradients = recorded(module, image, 1)
        with gradient_is_relevance(monkeypatch, "taylor"), monkeypatch.context() as patched:
            patched.setattr(F, "linear", z_plus)
            patched.setattr(F, "layer_norm", without_bias)
            weights, ruled = recorded(module, image, 1)
        product = torch.eye(weights[0].shape[-1]).double()
        for layer, rule, gradient in zip(weights, ruled, gradients, strict=True):
            mean = (gradient * layer * rule).clamp(min=0).mean(dim=0)
            product = (mean + torch.eye(len(mean))) @ product
        expected.append(by_hand(module, product - torch.eye(len(product))))
    close(hp.explain(hp.Network(module), images, "transformer-attribution", targets=1), torch.stack(expected))


@pytest.mark.parametrize("pool", ["class", "learned"])
@pytest.mark.parametrize("written", ["sdpa", "transposed", "bmm"])
@pytest.mark.parametrize("method", NAMES)
@pytest.mark.usefixtures("without_stabiliser")
def test_other_writings_of_attention_change_nothing(method, written, pool, images):
    expected = hp.explain(hp.Network(made(pool)), images, method)
    close(hp.explain(hp.Network(made(pool, written=written)), images, method), expected)


def test_attention_rollout_of_uniform_attention_is_constant(images):
    """With queries of zero in one layer, each patch has half of 1/T."""
    module = made(depth=1)
    with torch.no_grad():
        module.blocks[0]["qkv"].weight[:12], module.blocks[0]["qkv"].bias[:12] = 0, 0
    found = hp.explain(hp.Network(module), images, "attention-rollout")
    expected = torch.zeros(2, *SIZE).double()
    expected[:, :12, :18] = 1 / 2 / 25
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("method", NAMES)
def test_what_is_outside_of_the_grid_gets_nothing(method, images):
    found = hp.explain(hp.Network(made()), images, method)
    assert not found[:, 12:].any()
    assert not found[:, :, 18:].any()
    blocks = found[:, :12, :18].unflatten(1, (4, 3)).unflatten(3, (6, 3))
    torch.testing.assert_close(blocks, blocks[:, :, :1, :, :1].expand_as(blocks), rtol=0, atol=0)


@pytest.mark.parametrize("method", ["gradient-attention-rollout", "legrad"])
def test_a_difference_of_two_logits_is_asked_as_one_score(method, images):
    """The head's row of one class minus that of another, as the only row."""
    module, other = made(), made()
    with torch.no_grad():
        other.head.weight[1] -= other.head.weight[4]
        other.head.bias[1] -= other.head.bias[4]
    expected = hp.explain(hp.Network(other), images, method, targets=1)
    found = hp.explain(hp.Network(module), images, method, targets=1, against=4)
    close(found, expected)


def timm_vit(name="vit_tiny_patch16_224", side=64, **options):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    sizes = {"depth": 3, "embed_dim": 24, "num_heads": 3, "num_classes": 5} | options
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = timm.create_model(name, img_size=side, **sizes)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


TIMM = {
    "class token": ({}, [0], 1),
    "distilled": ({"name": "deit_tiny_distilled_patch16_224"}, [0, 1], 2),
    "registers": ({"name": "vit_small_patch14_reg4_dinov2", "side": 56}, [0], 5),
    "mean": ({"global_pool": "avg", "class_token": False}, list(range(16)), 0),
    "mean beside a class token": ({"global_pool": "avg"}, list(range(1, 17)), 1),
}


@pytest.mark.parametrize("family", TIMM)
def test_rollouts_are_those_of_hooks_on_timm(family):
    """The weights are what enters the dropout behind timm's softmax, with attention written out."""
    options, asked, before = TIMM[family]
    module = timm_vit(**options)
    side = module.patch_embed.img_size[0]
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)).double()
    network = hp.Network(module)
    assert list(network.attention((3, side, side)).asked()) == asked
    kept, expected = [], {"attention-rollout": [], "gradient-attention-rollout": []}
    for block in module.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda part, read, weights: kept.append(weights))
    for image in images:
        kept.clear()
        score = module(image[None].requires_grad_())[0, 2]
        gradients = [gradient[0] for gradient in torch.autograd.grad(score, kept)]
        weights = [layer[0].detach() for layer in kept]
        plain, graded = rollout(weights, FUSED["mean"]), gradient_rollout(weights, gradients)
        for name, product in (
            ("attention-rollout", plain), ("gradient-attention-rollout", graded - torch.eye(len(graded)))
        ):  # fmt: skip
            row = product[asked].mean(dim=0)
            expected[name].append(in_patches(row, before, 4, 4, side // 4, (side, side)))
    for name, maps in expected.items():
        close(hp.explain(network, images, name, targets=2), torch.stack(maps))


def torchvision_vit():
    module = models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5)
    torch.nn.init.normal_(module.heads.head.weight)  # which is zero before training
    return module, 32


def transformers_model(name, **options):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    given = sizes | {"image_size": 32, "patch_size": 8, "num_labels": 5} | options
    config = getattr(transformers, f"{name}Config")(**given)
    return getattr(transformers, f"{name}ForImageClassification")(config), 32


FAMILIES = {
    "torchvision": torchvision_vit,
    "BEiT": lambda: (timm_vit("beit_base_patch16_224"), 64),
    "rotary positions": lambda: (timm_vit("vit_small_patch16_dinov3", num_heads=2), 64),
    "attention pooling": lambda: (timm_vit("vit_base_patch16_siglip_224"), 64),
    "transformers, ViT": lambda: transformers_model("ViT"),
    "transformers, DINOv2": lambda: transformers_model("Dinov2"),
    "transformers, BEiT": lambda: transformers_model("Beit"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module, side = FAMILIES[family]()
    network, images = hp.Network(module.double()), torch.rand(2, 3, side, side, dtype=torch.float64)
    for method in NAMES:
        found = hp.explain(network, images, method)
        assert bool(found.isfinite().all())
        assert float(found.flatten(1).std(dim=1).min()) > 0


def test_patches_that_overlap_stand_for_the_pixels_up_to_the_next():
    """As those of a compact transformer, which also pools by learned weights."""
    module = made("learned")
    module.patches = torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 3, padding=1, bias=False), torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2, 1)
    ).double()
    images = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    weights, _ = recorded(module, images[0], 0)
    row = rollout(weights, FUSED["mean"]).mean(dim=0)
    expected = in_patches(row, 0, 4, 6, 2, (8, 12))
    close(hp.explain(hp.Network(module), images, "attention-rollout")[0], expected)


class ClassAttention(SmallTransformer):
    """The class token comes behind the first block."""

    def forward(self, images):
        first, *others = self.blocks
        tokens, _ = self.block(first, self.patches(images).flatten(2).transpose(1, 2))
        tokens = torch.cat([self.token.expand(images.shape[0], -1, -1), tokens], dim=1)
        for block in others:
            tokens, _ = self.block(block, tokens)
        return self.head(tokens[:, 0])


class NoResidual(SmallTransformer):
    def block(self, block, tokens):
        mixed, weights = self.attention(block, tokens)
        return block["mlp"](mixed), weights


def transformer_of(name, side, **options):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    return timm.create_model(name, num_classes=5, **options), side


REFUSED = {
    "convolutions": (lambda: (ReluCNN(), 24), "it has no attention; choose another method"),
    "windows": (lambda: (models.swin_t(), 64), r"as for windows or convolutions \(at features.1.0.attn \(pad\)\)"),
    "channels": (lambda: transformer_of("xcit_nano_12_p16_224", 64), r"\(at blocks.0.attn \(linalg_vector_norm\)\)"),
    "pooled keys": (lambda: transformer_of("pvt_v2_b0", 64), r"divided into windows .* \(at stages.0.blocks.0.attn"),
    "class attention": (lambda: (ClassAttention(), 24), "tokens are added behind its first attention, .*own cat\\)"),
    "pooling alone": (lambda: (SmallTransformer("learned", depth=0), 24), "no self-attention in which each token"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_networks_without_it_are_refused_with_the_reason_and_the_place(name):
    make, message = REFUSED[name]
    module, side = make()
    network, images = hp.Network(module.eval()), torch.rand(1, 3, side, side)
    for method in NAMES:
        told = rf"^{method} reads self-attention over .*, which it does not find in \w+: .*{message}"
        with pytest.raises(InputError, match=told):
            hp.explain(network, images, method)


def test_legrad_needs_residual_sums(images):
    network = hp.Network(randomised(NoResidual()))
    assert hp.explain(network, images, "attention-rollout").shape == (2, *SIZE)
    with pytest.raises(InputError, match=r"^legrad .*: there is no residual sum behind the attention at "):
        hp.explain(network, images, "legrad")


@pytest.mark.parametrize("method", ["deconvolution-l2", "deconvolution-linf"])
def test_deconvolution_of_a_transformer_is_refused_with_the_reason(method, images):
    with pytest.raises(InputError, match=rf"^{method} cannot go through .*: deconvolution is not defined"):
        hp.explain(hp.Network(made()), images, method)
