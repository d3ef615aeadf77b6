"""Layers of tokens as maps: what methods of Captum and pytorch-grad-cam give with a reshaping of one's own."""

import copy
import re

import pytest
import torch
from small_networks import ReluCNN, randomised
from small_transformer import SmallTransformer
from torch import nn
from torch.nn import functional as F

import heatproof as hp

BEFORE, ROWS, COLUMNS = 1, 4, 6


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = SmallTransformer(registers=2)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.4)
    return hp.Network(module.double().eval(), name="small")


@pytest.fixture
def images():
    return torch.rand(3, 3, 14, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def as_map(tokens):
    patches = tokens[:, BEFORE : BEFORE + ROWS * COLUMNS]
    return patches.reshape(len(tokens), ROWS, COLUMNS, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize("layer", ["blocks.2.norm", "blocks.1.mlp", "norm"])
@pytest.mark.parametrize("name", ["GradCAM", "HiResCAM", "GradCAMPlusPlus", "LayerCAM", "EigenCAM", "ScoreCAM"])
def test_grad_cam_with_its_reshape_transform(name, layer, network, images):
    package = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module = copy.deepcopy(network.module)
    read = module.get_submodule(layer)
    targets = torch.tensor([2, 2, 0])
    if layer == "norm" and name not in ("EigenCAM", "ScoreCAM"):
        return  # the class token alone is read behind it: gradients at patches are zero
    expected = []
    for image, target in zip(images, targets, strict=True):
        cam = getattr(package, name)(model=module, target_layers=[read], reshape_transform=as_map)
        expected.append(torch.from_numpy(cam(image[None].requires_grad_(), [ClassifierOutputTarget(int(target))])))
        cam.activations_and_grads.release()
    found = hp.explain(network, images, f"gradcam:{name}@{layer}", targets=targets)
    torch.testing.assert_close(found, torch.cat(expected).to(found), rtol=1e-5, atol=1e-6)


def test_ablation_cam_changes_one_channel_of_the_patches_after_the_other(network, images):
    """The package gives a channel a very low value, where it can be negative; no other token than those of patches."""
    pytest.importorskip("pytorch_grad_cam")
    module, image, target, kept = copy.deepcopy(network.module), images[:1], 2, []
    ablated = None

    def without(layer, read, value):
        kept.append(value.detach())
        value = value.clone()
        if ablated is not None:
            value[:, BEFORE : BEFORE + ROWS * COLUMNS, ablated] = -1e7
        return value

    module.blocks[2]["norm"].register_forward_hook(without)
    untouched, scores = float(module(image)[0, target]), []
    for ablated in range(12):  # noqa: B007 - which the hook reads
        scores.append(float(module(image)[0, target]))
    weights = 1 - torch.tensor(scores).double() / untouched
    cam = (weights[None, :, None, None] * as_map(kept[0])).sum(dim=1).clamp(min=0)
    found = hp.explain(network, image, "gradcam:AblationCAM@blocks.2.norm", targets=target)
    expected = F.interpolate(cam[None] / cam.max(), (14, 19), mode="bilinear", align_corners=False)
    assert float(torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1]) > 0.999


def test_layer_grad_cam_is_the_formula(network, images):
    pytest.importorskip("captum")
    module, kept = copy.deepcopy(network.module), []
    module.blocks[2]["norm"].register_forward_hook(lambda layer, read, value: kept.append(value))
    score = module(images.clone().requires_grad_())[:, 3].sum()
    (gradient,) = torch.autograd.grad(score, kept)
    maps, slopes = as_map(kept[0]).detach(), as_map(gradient)
    cam = (maps * slopes.mean(dim=(2, 3), keepdim=True)).sum(dim=1, keepdim=True)
    expected = F.interpolate(cam, (14, 19), mode="bilinear", align_corners=False)[:, 0]
    for layer in ("@blocks.2.norm", ""):  # which is the norm before the last attention
        found = hp.explain(network, images, f"captum:LayerGradCam{layer}", targets=3)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "method",
    [
        "captum:LayerIntegratedGradients[n_steps=8]", "captum:LayerActivation", "captum:LayerGradientXActivation",
        "captum:GuidedGradCam", "captum:InternalInfluence[n_steps=8]", "gradcam:GradCAM", "gradcam:AblationCAM",
    ],
)  # fmt: skip
def test_methods_of_a_layer_take_the_last_norm_by_default(method, network, images):
    pytest.importorskip("captum" if method.startswith("captum") else "pytorch_grad_cam")
    found = hp.explain(network, images, method, targets=2)
    name, bracket, options = method.partition("[")
    torch.testing.assert_close(
        hp.explain(network, images, f"{name}@blocks.2.norm{bracket}{options}", targets=2), found, rtol=0, atol=0
    )
    assert found.shape == (3, 14, 19)
    assert float(found.flatten(1).std(dim=1).min()) > 0
    rounding = (1e-6 if method.startswith("gradcam") else 1e-12) * float(found.abs().max())
    alone = hp.explain(network, images[1:2], method, targets=2)
    torch.testing.assert_close(alone, found[1:2], rtol=0, atol=rounding)


def test_activations_of_patches_lie_where_these_do(network, images):
    pytest.importorskip("captum")
    found = hp.explain(network, images, "captum:LayerActivation@blocks.0.norm")
    embedded = network.module.embedded(images)
    maps = as_map(network.module.blocks[0]["norm"](embedded)).sum(dim=1, keepdim=True)
    torch.testing.assert_close(found, F.interpolate(maps, (14, 19), mode="bilinear", align_corners=False)[:, 0])


def test_layers_of_maps_in_a_transformer_are_read_as_they_are(network, images):
    pytest.importorskip("captum")
    found = hp.explain(network, images, "captum:LayerActivation@patches")
    maps = network.module.patches(images).sum(dim=1, keepdim=True)
    torch.testing.assert_close(found, F.interpolate(maps, (14, 19), mode="bilinear", align_corners=False)[:, 0])


def test_one_method_for_images_of_several_sizes(network, images):
    """As in a comparison of several data sets: the hook is there once."""
    pytest.importorskip("captum")
    from heatproof.heatmaps.naming import method_of

    method = method_of("captum:LayerGradCam@blocks.2.norm", network)
    for size in ((14, 19), (9, 9), (14, 19)):
        smaller = images[:, :, : size[0], : size[1]]
        found = method(network.forward_pass(smaller, torch.tensor([1, 1, 1])))
        torch.testing.assert_close(found, hp.explain(network, smaller, "captum:LayerGradCam@blocks.2.norm", targets=1))


def test_the_layers_are_said_where_none_is_found(images):
    pytest.importorskip("pytorch_grad_cam")
    with pytest.raises(hp.InputError, match=re.escape("gradcam:GradCAM needs a layer: gradcam:GradCAM@LAYER; layers:")):
        hp.explain(hp.Network(randomised(ReluCNN())), images, "gradcam:GradCAM")


def test_a_layer_of_timm():
    timm = pytest.importorskip("timm")
    pytest.importorskip("pytorch_grad_cam")
    module = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, embed_dim=24, num_heads=3, num_classes=5)
    nn.init.normal_(module.head.weight)
    network, images = hp.Network(module), torch.rand(2, 3, 64, 64)
    by_default = hp.explain(network, images, "gradcam:GradCAM")
    torch.testing.assert_close(hp.explain(network, images, "gradcam:GradCAM@blocks.2.norm1"), by_default)
