"""Methods of Captum, Zennit and pytorch-grad-cam by name: what these packages give when they are asked directly."""

import random
import re

import numpy as np
import pytest
import torch
from small_networks import randomised
from torch import nn
from torch.nn import functional as F

import heatproof as hp
from heatproof.heatmaps.third_party import PACKAGES
from heatproof.heatmaps.third_party.package import Package


class Residual(nn.Module):
    """Modules in place, a sum in place, and a layer inside another."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.block = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3, padding=1))
        self.last = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.first(x)
        return self.head(self.last(self.block(x) + x).mean(dim=(2, 3)))


class Chain(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3),
            nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4),
        )  # fmt: skip


@pytest.fixture(scope="module")
def network():
    preprocessing = hp.Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # RandomCAM draws weights of both signs, and may find nothing in another network
        return hp.Network(randomised(Chain()), preprocessing=preprocessing, name="chain")


@pytest.fixture
def images():
    return torch.rand(3, 3, 12, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def asked(network, images):
    """Inputs and targets, as the packages want them, and a copy of the module that works on copies."""
    import copy

    module = copy.deepcopy(network.module)
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    return module, network.inputs(images).requires_grad_(), network.predict(images)


def close(found, expected):
    expected = expected.detach()
    torch.testing.assert_close(found, expected.to(found), rtol=1e-6, atol=1e-9 + 1e-6 * float(expected.abs().max()))


RANDOM = ["captum:GradientShap[stdevs=0.1]", "captum:NoiseTunnel@Saliency[nt_samples=3]", "gradcam:RandomCAM@3"]
NAMES = [
    "captum:IntegratedGradients[n_steps=10]", "captum:Saliency", "captum:InputXGradient", "captum:DeepLift",
    "captum:GuidedBackprop", "captum:Deconvolution", "captum:LayerGradCam@3", "captum:LayerIntegratedGradients@3",
    "captum:GuidedGradCam@3", "captum:Occlusion[sliding_window_shapes=4,strides=4]",
    "captum:FeatureAblation[feature_mask=4]", "captum:KernelShap[feature_mask=4,n_samples=8]",
    "captum:ShapleyValueSampling[feature_mask=6,n_samples=2]", "zennit:EpsilonPlusFlat", "zennit:EpsilonGammaBox",
    "zennit:GuidedBackprop", "gradcam:GradCAM@3", "gradcam:GradCAMPlusPlus@3", "gradcam:EigenCAM@3",
    "negated:captum:LayerGradCam@3", "randomised:captum:Saliency", *RANDOM,
]  # fmt: skip


@pytest.fixture(params=NAMES)
def method(request):
    prefix = next(prefix for prefix in PACKAGES if f"{prefix}:" in f":{request.param}")
    pytest.importorskip(PACKAGES[prefix].module)
    return request.param


def test_maps_are_of_their_image_alone(method, network, images):
    """Whatever goes through with it, in whatever order, and whatever the global random states are, but for rounding."""
    together = hp.explain(network, images, method)
    assert together.shape == (3, 12, 14)
    assert together.dtype == images.dtype
    assert bool(together.flatten(1).std(dim=1).gt(0).all())
    torch.manual_seed(5), np.random.seed(5)  # noqa: NPY002
    backwards = hp.explain(network, images.flip(0), method).flip(0)
    rounding = (1e-6 if "gradcam:" in method else 1e-12) * float(together.abs().max())  # grad-cam's maps are float32
    torch.testing.assert_close(backwards, together, rtol=0, atol=rounding)
    torch.testing.assert_close(hp.explain(network, images[1:2], method), together[1:2], rtol=0, atol=rounding)


def test_everything_is_left_as_it_was(method, network, images):
    states = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    before, pixels = network.fingerprint(), images.clone()
    with torch.no_grad():
        hp.explain(network, images, method)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == (repr(np.random.get_state()), random.getstate())  # noqa: NPY002
    assert network.fingerprint() == before
    assert torch.equal(images, pixels)
    for part in network.module.modules():
        assert [*part._forward_hooks, *part._forward_pre_hooks, *part._backward_hooks] == []
        assert not part.training
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.module.parameters())
    assert network.module[1].inplace


@pytest.mark.parametrize("method", RANDOM)
def test_another_seed_is_another_draw(method, network, images):
    pytest.importorskip(PACKAGES[method.split(":")[0]].module)
    seeded = method.replace("]", ",seed=1]") if "[" in method else f"{method}[seed=1]"
    assert not torch.allclose(hp.explain(network, images, method), hp.explain(network, images, seeded))


@pytest.mark.filterwarnings("ignore:Setting forward:UserWarning")  # DeepLift says that it hooks
def test_captum(network, images, asked):
    attr = pytest.importorskip("captum.attr")
    module, inputs, targets = asked

    def explained(spec):
        return hp.explain(network, images, f"captum:{spec}")

    integrated = attr.IntegratedGradients(module).attribute(inputs, target=targets, n_steps=20)
    close(explained("IntegratedGradients[n_steps=20]"), integrated.sum(dim=1))
    close(explained("IntegratedGradients[n_steps=20,channels=norm]"), integrated.norm(dim=1))
    white = network.inputs(torch.ones_like(images))
    found = attr.IntegratedGradients(module).attribute(inputs, white, target=targets, n_steps=20, method="riemann_left")
    close(explained("IntegratedGradients[n_steps=20,baselines=white,method=riemann_left]"), found.sum(dim=1))
    found = attr.IntegratedGradients(module, multiply_by_inputs=False).attribute(inputs, target=targets, n_steps=20)
    close(explained("IntegratedGradients[n_steps=20,multiply_by_inputs=false]"), found.sum(dim=1))
    close(
        explained("Saliency[abs=false]"), attr.Saliency(module).attribute(inputs, target=targets, abs=False).sum(dim=1)
    )
    close(
        explained("DeepLift[baselines=0.5]"),
        attr.DeepLift(module).attribute(inputs, torch.full_like(inputs, 0.5), target=targets).sum(dim=1),
    )
    cam = attr.LayerGradCam(module, module[3]).attribute(inputs, target=targets)
    close(explained("LayerGradCam@3"), attr.LayerAttribution.interpolate(cam, (12, 14), "bilinear")[:, 0])
    window = {"sliding_window_shapes": (3, 4, 4), "strides": (3, 4, 4)}
    close(
        explained("Occlusion[sliding_window_shapes=4,strides=4]"),
        attr.Occlusion(module).attribute(inputs, target=targets, **window).sum(dim=1),
    )


def test_zennit(network, images, asked):
    pytest.importorskip("zennit")
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat, GuidedBackprop

    module, inputs, targets = asked
    chosen = F.one_hot(targets, 4).to(inputs)
    with Gradient(module, EpsilonPlusFlat(epsilon=0.01)) as attributor:
        _, found = attributor(inputs, chosen * module(inputs).detach())
    close(hp.explain(network, images, "zennit:EpsilonPlusFlat[epsilon=0.01]"), found.sum(dim=1))
    close(hp.explain(network, images, "lrp-epsilon-plus-flat[epsilon=0.01]"), found.sum(dim=1))
    with Gradient(module, GuidedBackprop()) as attributor:
        _, found = attributor(inputs, chosen)
    close(hp.explain(network, images, "zennit:GuidedBackprop"), found.sum(dim=1))


def test_zennit_with_a_canonizer_leaves_weights_alone():
    pytest.importorskip("zennit")
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    network, images = hp.Network(randomised(module)), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    before = network.fingerprint()
    merged = hp.explain(network, images, "zennit:EpsilonPlusFlat[canonizer=vgg]")
    torch.testing.assert_close(hp.explain(network, images, "lrp-epsilon-plus-flat"), merged, rtol=1e-4, atol=1e-7)
    assert network.fingerprint() == before


@pytest.mark.parametrize("name", ["GradCAM", "GradCAMPlusPlus", "LayerCAM", "XGradCAM"])
def test_grad_cam(name, network, images, asked):
    package = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module, inputs, targets = asked
    with getattr(package, name)(model=module, target_layers=[module[3]]) as cam:
        found = torch.from_numpy(cam(inputs, [ClassifierOutputTarget(int(target)) for target in targets]))
    close(hp.explain(network, images, f"gradcam:{name}@3"), found)


def test_layers_are_found_by_the_end_of_their_path():
    pytest.importorskip("captum")
    network, images = hp.Network(nn.Sequential(randomised(Residual()))), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    inner = hp.explain(network, images, "captum:LayerGradCam@block.1")
    torch.testing.assert_close(inner, hp.explain(network, images, "captum:LayerGradCam@0.block.1"))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("captum:Salience", "unknown method of Captum 'Salience'; did you mean 'Saliency'"),
        ("captum:Saliency[ab=1]", "unknown option of method 'captum:Saliency': 'ab'; did you mean 'abs'"),
        ("captum:Saliency[abs=2]", "abs must be true or false, got 2"),
        ("captum:Saliency[channels=mean]", "unknown channels of captum:Saliency: 'mean'"),
        ("captum:Saliency@3", "explains pixels: leave out @3"),
        ("captum:IntegratedGradients[n_steps=many]", "n_steps must be a whole number"),
        ("captum:IntegratedGradients[baselines=pink]", "unknown baseline 'pink'"),
        ("captum:LayerGradCam", "needs a layer: captum:LayerGradCam@LAYER; layers: 0, 1, 2"),
        ("captum:LayerGradCam@last", "unknown layer of captum:LayerGradCam: 'last'; known: 0, 1, 2"),
        ("captum:LayerGradCam@6", "are nowhere in the image"),
        ("captum:FeaturePermutation", "a map must depend on its image alone"),
        ("captum:NoiseTunnel@LayerGradCam", "must name a method of pixels"),
        ("zennit:EpsilonPlus[gamma=1]", "unknown option of method 'zennit:EpsilonPlus'"),
        ("zennit:EpsilonPlus[canonizer=vit]", "unknown canonizer 'vit'"),
        ("zennit:Epsilon", "unknown composite of Zennit 'Epsilon'"),
        ("gradcam:GradCam@3", "unknown method of pytorch-grad-cam 'GradCam'; did you mean 'GradCAM'"),
        ("captm:Saliency", "unknown prefix 'captm'; did you mean 'captum'"),
        ("captum", "'captum' is a prefix and needs a method after it, such as captum:IntegratedGradients"),
    ],
)
def test_what_is_wrong_is_told(method, message, network, images):
    prefix = method.split(":")[0]
    if ":" in method and prefix in PACKAGES:
        pytest.importorskip(PACKAGES[prefix].module)
    with pytest.raises(hp.InputError, match=re.escape(message)):
        hp.explain(network, images, method)


def test_what_a_package_cannot_do_is_told_with_its_reason():
    pytest.importorskip("captum")

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu, self.head = nn.ReLU(), nn.Linear(48, 2)

        def forward(self, x):
            return self.head(self.relu(self.relu(x - 0.5).flatten(1)))

    with pytest.raises(hp.InputError, match=r"captum:DeepLift cannot explain Twice: .*more than once"):
        hp.explain(hp.Network(Twice()), torch.rand(1, 3, 4, 4), "captum:DeepLift")


def test_a_package_that_is_not_there_says_what_installs_it(network):
    absent = Package("absent", "absent_package", "absent", "X", "Methods.", lambda spec, network: None)
    with pytest.raises(hp.InputError, match=re.escape('pip install "heatproof[absent]"')):
        absent.make("X", network)
    assert "pip install" in absent.describe()


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def explain(network, images, targets, power=1):\n    return images.sum(dim=1) ** power\n\nnone = 3\n"
    )
    return path


def test_a_callable_of_one_s_own_by_name(network, images, mine):
    close(hp.explain(network, images, f"{mine}:explain"), images.sum(dim=1))
    close(hp.explain(network, images, f"{mine}:explain[power=2]"), images.sum(dim=1) ** 2)
    close(hp.explain(network, images, f"negated:{mine}:explain"), -images.sum(dim=1))
    with pytest.raises(hp.InputError, match=r"unknown option of method .*'pow'; did you mean 'power'"):
        hp.explain(network, images, f"{mine}:explain[pow=2]")
    with pytest.raises(hp.InputError, match="must be a callable, got 3"):
        hp.explain(network, images, f"{mine}:none")
    with pytest.raises(hp.InputError, match=r"there is no file 'nobody\.py'"):
        hp.explain(network, images, "nobody.py:explain")


def test_randomised_asks_one_s_own_callable_about_the_other_network(network, images, tmp_path):
    path = tmp_path / "weights.py"
    path.write_text(
        "def explain(network, images, targets):\n    return images.sum(dim=1) * network.module[0].weight.flatten()[0]\n"
    )
    first = network.randomised().module[0].weight.flatten()[0]
    close(hp.explain(network, images, f"randomised:{path}:explain"), images.sum(dim=1) * first)
