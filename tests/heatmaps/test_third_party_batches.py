"""Methods of other packages that are asked in batches give the maps that they give one by one; others are not."""

import re
from importlib.util import find_spec

import pytest
import torch
from small_networks import randomised
from small_transformer import SmallTransformer
from torch import nn

import heatproof as hp
from heatproof.heatmaps.naming import method_of
from heatproof.heatmaps.third_party import PACKAGES, captum, grad_cam, zennit
from heatproof.heatmaps.third_party.package import ONE_BY_ONE, Batches

TARGETS = torch.tensor([3, 1, 3, 1, 1])
STEPS = {"IntegratedGradients", "LayerIntegratedGradients", "InternalInfluence", "LayerConductance"}
LAYERED = {"InternalInfluence", "GuidedGradCam"}


class Plain(nn.Module):
    """Layers that every package has rules for."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        )  # fmt: skip
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


def spec(prefix, name, layer="body.4"):
    """The method's name, at a layer where it needs one, with few steps."""
    at = f"@{layer}" if prefix == "gradcam" or name.startswith("Layer") or name in LAYERED else ""
    return f"{prefix}:{name}{at}" + ("[n_steps=6]" if name in STEPS else "")


IN_BATCHES = [
    *(spec("captum", name) for name in captum.IN_BATCHES),
    *(spec("zennit", name) for name in zennit.IN_BATCHES),
    *(spec("gradcam", name) for name in grad_cam.IN_BATCHES),
    "captum:IntegratedGradients[n_steps=6,baselines=white]", "captum:IntegratedGradients[internal_batch_size=2]",
    "captum:Saliency[abs=false,channels=norm]", "captum:LayerGradCam@body.3[relu_attributions=true]",
    "zennit:EpsilonPlusFlat[canonizer=vgg]", "gradcam:GradCAM@body.4[aug_smooth=true]", "randomised:captum:Saliency",
]  # fmt: skip
DRAWING = [
    "captum:GradientShap[stdevs=0.1]", "captum:NoiseTunnel@Saliency[nt_samples=3]", "captum:NoiseTunnel@LRP",
    "captum:KernelShap[feature_mask=4,n_samples=8]", "captum:Lime[feature_mask=4,n_samples=8]",
    "captum:ShapleyValueSampling[feature_mask=6,n_samples=2]", "captum:LayerGradientShap@body.4",
    "gradcam:RandomCAM@body.4",
]  # fmt: skip
ALONE = [
    *DRAWING, "captum:DeepLift", "captum:LayerDeepLift@body.4", "captum:Occlusion[sliding_window_shapes=6,strides=6]",
    "captum:FeatureAblation[feature_mask=6]", "gradcam:EigenCAM@body.4", "gradcam:ScoreCAM@body.4",
    "gradcam:AblationCAM@body.4", "gradcam:FEM@body.4", "gradcam:GradCAM@body.4[eigen_smooth=true]",
]  # fmt: skip


@pytest.fixture(scope="module")
def networks():
    preprocessing = hp.Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = randomised(Plain())
    single = Plain()
    single.load_state_dict(module.state_dict())
    return {
        dtype: hp.Network(one.to(dtype), preprocessing=preprocessing, name="plain")
        for one, dtype in ((module, torch.float64), (single, torch.float32))
    }


@pytest.fixture
def network(networks):
    return networks[torch.float64]


@pytest.fixture
def images():
    """Five, one of which has a black half."""
    found = torch.rand(5, 3, 18, 21, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found[2, :, :9] = 0
    return found


@pytest.fixture
def method(request):
    prefix = next(prefix for prefix in PACKAGES if f"{prefix}:" in request.param)
    pytest.importorskip(PACKAGES[prefix].module)
    return request.param


in_batches = pytest.mark.parametrize("method", IN_BATCHES, indirect=True)
one_by_one = pytest.mark.parametrize("method", ALONE, indirect=True)


def close(found, expected, share):
    torch.testing.assert_close(found, expected, rtol=0, atol=share * float(expected.abs().max()))


def each_alone(network, images, method, **asked):
    """Maps of one image after the other; ``asked`` has a class for each."""
    return torch.cat([
        hp.explain(network, image[None], method, **{key: int(value[row]) for key, value in asked.items()})
        for row, image in enumerate(images)
    ])  # fmt: skip


def sizes(network, images, method, targets=TARGETS):
    """How many inputs the module was evaluated on, call by call."""
    made, forward, found = method_of(method, network), network.forward_pass(images, targets), []
    kind = type(network.module)
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, read, value: found.append(len(value)) if isinstance(module, kind) else None
    )
    try:
        made(forward)
    finally:
        handle.remove()
    return found


@pytest.fixture
def all_at_once(monkeypatch):
    """As if there were memory for whatever a method keeps."""
    monkeypatch.setattr(Batches, "size", lambda self, images: min(images, self.most or images))


@in_batches
@pytest.mark.usefixtures("all_at_once")
@pytest.mark.parametrize(("dtype", "share"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
def test_maps_in_batches_are_those_one_by_one(method, dtype, share, networks, images):
    """In single precision too; float32 is what networks have, and grad-cam rounds every map to it."""
    share = 1e-5 if method.startswith("gradcam") else share
    network, images = networks[dtype], images.to(dtype)
    together = hp.explain(network, images, method, targets=TARGETS)
    close(together, each_alone(network, images, method, targets=TARGETS), share)
    close(hp.explain(network, images.flip(0), method, targets=TARGETS.flip(0)).flip(0), together, share)
    close(hp.explain(network, images, method, targets=TARGETS, memory=1), together, share)  # one by one, inside


@in_batches
def test_a_batch_takes_fewer_calls(method, network, images):
    together = sizes(network, images.repeat(2, 1, 1, 1), method, TARGETS.repeat(2))
    alone = 10 * sizes(network, images[:1], method, TARGETS[:1])
    fewer = len(together) < len(alone)
    assert fewer or "n_steps" in method or "internal_batch_size" in method  # steps of a path are in one call already
    assert max(together) <= 10


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("captum:Saliency", [5]),
        ("captum:LayerGradCam@body.4", [1, 5]),  # how the layer's value looks is seen first
        ("captum:LRP", [1] * 10),
        ("captum:IntegratedGradients[n_steps=3]", [5, 5, 5]),
        ("captum:IntegratedGradients[n_steps=3,internal_batch_size=2]", [2, 2, 2, 2, 2, 2, 2, 1]),
        ("captum:LayerConductance@body.4[n_steps=3]", [4] * 5),
        ("captum:Occlusion[sliding_window_shapes=21,strides=21]", [1] * 10),
        ("zennit:GuidedBackprop", [5]),
        ("zennit:EpsilonPlus", [2, 2, 1]),
        ("gradcam:GradCAM@body.4", [1, 2, 2, 1]),
        ("gradcam:GradCAM@body.4[eigen_smooth=true]", [1] * 5),
    ],
)
def test_how_many_at_once(method, expected, network, images):
    pytest.importorskip(PACKAGES[method.split(":")[0]].module)
    assert sizes(network, images, method) == expected


@pytest.mark.skipif(not find_spec("captum"), reason="needs captum")
def test_many_images_take_fewer_calls_for_a_path(network, images):
    """What memory allows of gradients, and no more, goes through at once, however many steps there are."""
    many, targets = images.repeat(4, 1, 1, 1), TARGETS.repeat(4)
    assert sizes(network, many, "captum:IntegratedGradients[n_steps=9]", targets) == [20] * 9
    assert sizes(network, many, "captum:LayerConductance@body.4[n_steps=3]", targets)[1:] == [8] * 10
    assert sizes(network, many, "captum:LRP", targets) == [5] * 8


@in_batches
def test_what_is_asked_in_batches_draws_nothing(method, network, images):
    seeded = method.replace("]", ",seed=1]") if "[" in method else f"{method}[seed=1]"
    found = hp.explain(network, images, method)
    torch.testing.assert_close(hp.explain(network, images, seeded), found, rtol=0, atol=0)


@one_by_one
def test_others_are_asked_one_by_one(method, network, images):
    """To the last bit, and so with the draws of each image."""
    together = hp.explain(network, images, method, targets=TARGETS)
    alone = each_alone(network, images, method, targets=TARGETS)
    torch.testing.assert_close(together, alone, rtol=0, atol=0)


@pytest.mark.parametrize("method", DRAWING, indirect=True)
def test_what_draws_evaluates_what_it_evaluates_for_each_image(method, network, images):
    alone = [size for row in range(5) for size in sizes(network, images[row : row + 1], method, TARGETS[row : row + 1])]
    assert sizes(network, images, method) == alone


@pytest.mark.skipif(not find_spec("zennit"), reason="needs zennit")
@pytest.mark.usefixtures("all_at_once")
@pytest.mark.parametrize("composite", zennit.IN_BATCHES)
def test_differences_of_two_classes(composite, network, images):
    method, against = f"zennit:{composite}", torch.tensor([0, 2, 1, 0, 2])
    found = method_of(method, network)(network.forward_pass(images, TARGETS, against=against))
    close(found, each_alone(network, images, method, targets=TARGETS, against=against), 1e-12)
    second = hp.explain(network, images, method, against="second")
    close(torch.cat([hp.explain(network, image[None], method, against="second") for image in images]), second, 1e-12)


@pytest.mark.usefixtures("all_at_once")
@pytest.mark.parametrize(
    "method",
    [
        spec(prefix, name, "blocks.2.norm")
        for prefix, names in (("captum", captum.IN_BATCHES), ("gradcam", grad_cam.IN_BATCHES))
        for name in names
        if prefix == "gradcam" or name.startswith("Layer") or name in LAYERED
    ],
)
def test_layers_of_tokens(method, images):
    pytest.importorskip(PACKAGES[method.split(":")[0]].module)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = hp.Network(randomised(SmallTransformer(registers=2)))
    share = 1e-5 if method.startswith("gradcam") else 1e-12
    together = hp.explain(network, images, method, targets=TARGETS)
    close(together, each_alone(network, images, method, targets=TARGETS), share)


@pytest.mark.skipif(not find_spec("captum"), reason="needs captum")
@pytest.mark.filterwarnings("ignore:Setting forward:UserWarning")
def test_deep_lift_mixes_images_at_a_softmax_and_is_asked_one_by_one(images):
    from captum.attr import DeepLift

    layers = nn.Conv2d(3, 4, 5, stride=4), nn.Flatten(), nn.Softmax(dim=1), nn.Linear(80, 3)
    network = hp.Network(randomised(nn.Sequential(*layers)))
    targets = torch.tensor([0, 1, 2, 0, 1])
    alone = each_alone(network, images, "captum:DeepLift", targets=targets)
    torch.testing.assert_close(hp.explain(network, images, "captum:DeepLift", targets=targets), alone, rtol=0, atol=0)
    inputs = network.inputs(images).requires_grad_()
    direct = DeepLift(network.module).attribute(inputs, target=targets).sum(dim=1).detach()
    assert float((direct - alone).abs().max()) > 1e-3 * float(alone.abs().max())


@pytest.mark.skipif(not find_spec("captum"), reason="needs captum")
def test_a_layer_whose_values_are_not_of_images_first_is_refused_for_as_many_images_too():
    """As many tokens as images, which would be taken for them."""

    class TokensFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.head = nn.Conv2d(3, 6, 4, stride=4), nn.LayerNorm(6), nn.Linear(6, 3)

        def forward(self, x):
            tokens = self.norm(self.embed(x).flatten(2).permute(2, 0, 1))
            return self.head(tokens.relu().mean(dim=0))

    network = hp.Network(randomised(TokensFirst()))
    for count in (1, 4):
        images = torch.rand(count, 3, 8, 8, dtype=torch.float64)
        with pytest.raises(hp.InputError, match=r"captum:LayerGradientXActivation .*nowhere in"):
            hp.explain(network, images, "captum:LayerGradientXActivation@norm")


@pytest.mark.skipif(not find_spec("captum"), reason="needs captum")
def test_an_error_of_a_batch_names_the_method(images):
    network = hp.Network(randomised(nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(608, 2))))
    with pytest.raises(hp.InputError, match=re.escape("captum:LRP cannot explain Sequential: TypeError: Module of")):
        hp.explain(network, images, "captum:LRP")


@pytest.mark.parametrize(
    ("module", "kinds", "names"),
    [
        ("captum.attr", "captum", captum.IN_BATCHES),
        ("zennit.composites", "zennit", zennit.IN_BATCHES),
        ("pytorch_grad_cam", "pytorch_grad_cam", grad_cam.IN_BATCHES),
    ],
)
def test_the_methods_in_batches_are_there(module, kinds, names):
    found = pytest.importorskip(module, reason=f"needs {kinds}")
    assert [name for name in names if not hasattr(found, name)] == []


@pytest.mark.parametrize(
    ("batches", "images", "size"),
    [(Batches(), 7, 7), (Batches(2), 7, 3), (Batches(8), 7, 1), (Batches(1, 2), 7, 2), (Batches(4, 3), 7, 1)],
)
def test_sizes_of_batches(batches, images, size):
    assert (batches.size(images), ONE_BY_ONE.size(images)) == (size, 1)
