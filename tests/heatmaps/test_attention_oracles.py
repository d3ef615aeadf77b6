"""LRP through attention against the plain gradient of a network that was rebuilt for it, and against conservation."""

import importlib.util
from pathlib import Path

import pytest
import torch
from attention_rules import gradient_is_relevance
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.heatmaps import explain_batches
from heatproof.network.operations import relevance

pytestmark = pytest.mark.filterwarnings("ignore")  # of other libraries
SHARED = Path(__file__).parents[3] / "shared" / "weights"
SMALL = {"image_size": 16, "patch_size": 4, "num_layers": 3, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16}
EXACT = 1e-9
TINY = 1e-30
RULES = ("constant", "taylor")


def torchvision_vit():
    return models.VisionTransformer(**SMALL, num_classes=5), 16


def torchvision_swin():
    return models.SwinTransformer([4, 4], 8, [2, 1], [2, 2], [2, 2], num_classes=5), 16


def timm_vit():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    sizes = {"patch_size": 4, "embed_dim": 8, "depth": 2, "num_heads": 2}
    return timm.models.VisionTransformer(img_size=16, **sizes, num_classes=5), 16


def timm_swin():
    timm = pytest.importorskip("timm", reason="timm is not installed")
    sizes = {"patch_size": 4, "window_size": 2, "embed_dim": 8, "depths": (2, 1), "num_heads": (2, 2)}
    return timm.models.SwinTransformer(img_size=16, **sizes, num_classes=5), 16


def huggingface_vit():
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=4,
        num_labels=5,
    )  # fmt: skip
    module = transformers.ViTForImageClassification(config)
    for part in module.modules():
        if hasattr(part, "activation_fn"):  # which holds the function itself, where nothing can take its place
            part.activation_fn = nn.GELU()
    return module, 16


NETWORKS = [torchvision_vit, torchvision_swin, timm_vit, timm_swin, huggingface_vit]


def made(make):
    """A network with random weights and biases, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module, size = make()
        for name, parameter in module.named_parameters():
            with torch.no_grad():
                spread = 0.3 if parameter.ndim > 1 else 0.2
                parameter.normal_(std=spread).add_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
        return module.double().eval(), torch.rand(2, 3, size, size, dtype=torch.float64)


def real(name):
    if not SHARED.is_dir():
        pytest.skip("the networks of ../shared/weights are not here")
    spec = importlib.util.spec_from_file_location("shared_models", SHARED / "models.py")
    shared = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shared)
    from safetensors.torch import load_file

    module = getattr(shared, name)()
    module.load_state_dict(load_file(SHARED / f"{name}.safetensors"))
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return module.double().eval(), images


CASES = [pytest.param(lambda make=make: made(make), id=make.__name__) for make in NETWORKS]
CASES += [pytest.param(lambda name=name: real(name), id=name) for name in ("vit_cifar10", "cct_cifar10")]


@pytest.fixture(autouse=True)
def without_stabiliser(monkeypatch):
    monkeypatch.setattr(relevance.divided, "__defaults__", (TINY,))


def expected(monkeypatch, module, images, softmax):
    """Pixels ⊙ gradient (N, H, W), the scores, and parameter ⊙ gradient by name, each for one image."""
    maps, scores, leaves = [], [], {}
    for image in images:
        module.zero_grad(set_to_none=True)
        module.requires_grad_(True)
        pixels = image[None].clone().requires_grad_()
        with gradient_is_relevance(monkeypatch, softmax):
            logits = module(pixels)
            logits = getattr(logits, "logits", logits)
            score = logits[0, 1]
            score.backward()
        maps.append((pixels * pixels.grad)[0].sum(dim=0).detach())
        scores.append(score.detach())
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                leaves.setdefault(name, []).append(float((parameter * parameter.grad).sum()))
    return torch.stack(maps), torch.stack(scores), leaves


def found(module, images, softmax, positions="absorb"):
    method = f"lrp-attention[softmax={softmax},gamma=0,epsilon={TINY},positions={positions}]"
    (explained,) = explain_batches(hp.Network(module), images, {"m": method}, targets=1)
    return explained.heatmaps["m"], explained.conservation["m"], explained.scores


@pytest.mark.parametrize("softmax", RULES)
@pytest.mark.parametrize("case", CASES)
def test_the_map_is_input_times_the_gradient_of_a_network_rebuilt_for_it(case, softmax, monkeypatch):
    module, images = case()
    maps, scores, _ = expected(monkeypatch, module, images, softmax)
    mine, _, own = found(module, images, softmax)
    torch.testing.assert_close(own, scores, rtol=EXACT, atol=EXACT)
    largest = float(maps.abs().max())
    assert largest > 0
    assert float((mine - maps).abs().max()) <= EXACT * largest


def owned(leaves, place):
    """What leaves of a module take: parameters and their gradients, of each image."""
    within = [values for name, values in leaves.items() if name.startswith(f"{place}.") and name.endswith("bias")]
    return [sum(values) for values in zip(*within, strict=True)] if within else [0.0, 0.0]


@pytest.mark.parametrize("softmax", RULES)
@pytest.mark.parametrize("case", CASES)
def test_what_is_absorbed_is_what_the_leaves_take(case, softmax, monkeypatch):
    """Pixels and leaves have all of f, but what a softmax loses; each leaf is named, and takes leaf ⊙ gradient."""
    module, images = case()
    maps, scores, leaves = expected(monkeypatch, module, images, softmax)
    leaves = {name: values for name, values in leaves.items() if not name.endswith("weight")}
    _, conservation, _ = found(module, images, softmax)
    absorbed = torch.from_numpy(conservation.absorbed) * scores[:, None]
    taken = torch.tensor(list(leaves.values()), dtype=torch.float64).sum(dim=0)
    lost = scores - maps.sum(dim=(1, 2)) - taken
    by_kind = {
        kept: absorbed[:, [one == kept for one in conservation.keeps]].sum(dim=1) for kept in set(conservation.keeps)
    }
    nothing = torch.zeros_like(scores)
    close = {"rtol": EXACT, "atol": EXACT * float(scores.abs().max())}
    torch.testing.assert_close(by_kind.pop("attention's softmax", nothing), lost, **close)
    torch.testing.assert_close(by_kind.pop("", nothing), nothing, **close)
    if softmax == "constant":
        torch.testing.assert_close(lost, nothing, **close)
    torch.testing.assert_close(sum(by_kind.values()), taken, **close)
    for place in set(conservation.places):
        mine = absorbed[:, [one == place for one in conservation.places]].sum(dim=1)
        where, _, kind = place.removesuffix(")").rpartition(" (")
        name = where.removeprefix("model.")
        if kind in ("positions", "class token"):
            torch.testing.assert_close(mine, torch.tensor(leaves[name], dtype=torch.float64), **close)
        elif kind in ("linear", "conv2d", "layer norm", "layer_norm"):
            torch.testing.assert_close(mine, torch.tensor(owned(leaves, name), dtype=torch.float64), **close)


def test_what_absorbs_is_said_in_words():
    module, images = made(torchvision_vit)
    _, conservation, _ = found(module, images, "taylor")
    shares = conservation.absorbed_by()
    assert set(shares) == {"biases", "β of norms", "class token", "positions", "attention's softmax"}
    assert conservation.summary()["absorbed_by"] == shares
    assert "encoder.pos_embedding (positions)" in conservation.places
    assert "class_token (class token)" in conservation.places
    (told, *_) = conservation.warnings("m")
    assert all(f"{kept} {share:.0%}" in told for kept, share in shares.items())
    assert " alone " in told


@pytest.mark.parametrize("case", [torchvision_vit, timm_vit, huggingface_vit])
def test_relevance_of_positions_goes_to_their_patches(case, monkeypatch):
    """Position ⊙ gradient of each token, evenly over the 4 × 4 pixels of its patch; the class token keeps its own."""
    module, images = made(case)
    maps, scores, leaves = expected(monkeypatch, module, images[:1], "taylor")
    (name,) = [name for name in leaves if "pos" in name]
    parameter = dict(module.named_parameters())[name]
    of_tokens = (parameter * parameter.grad)[0].sum(dim=-1).detach()
    in_patches = of_tokens[1:].reshape(1, 4, 4).repeat_interleave(4, dim=1).repeat_interleave(4, dim=2) / 16
    mine, conservation, _ = found(module, images[:1], "taylor", positions="patch")
    largest = float(maps.abs().max())
    torch.testing.assert_close(mine, maps + in_patches, rtol=0, atol=EXACT * largest)
    left = conservation.absorbed_by()["positions"] * float(scores[0])
    assert left == pytest.approx(float(of_tokens[0]), rel=1e-6, abs=EXACT)
    torch.testing.assert_close(
        torch.from_numpy(conservation.kept + conservation.absorbed.sum(axis=1)), torch.ones(1, dtype=torch.float64)
    )
