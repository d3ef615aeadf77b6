"""A device gives what the CPU gives; run by ``make gpu``, and rehearsed with HEATPROOF_DEVICE=cpu."""

import pytest
import torch
from tests.reference.small_networks import ReluCNN, randomised
from tests.reference.small_transformer import SmallTransformer
from torchvision.models import resnet18

import heatproof as hp
from heatproof.heatmaps import METHODS
from heatproof.heatmaps.methods import of_attention
from heatproof.network import Network
from heatproof.network.exact import multiplying
from heatproof.perturbation import REPLACEMENTS

pytestmark = pytest.mark.gpu
OF_RANGE = 1e-5  # of the range of scores, and of heatmaps, in float32


def module_of(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "resnet18":
            return resnet18().eval()
        return randomised(ReluCNN() if name == "cnn" else SmallTransformer()).float()


SIZES = {"cnn": 18, "transformer": 18, "resnet18": 64}


@pytest.fixture(scope="module", params=["cnn", "transformer", "resnet18"])
def both(request, device):
    """The same network on the CPU and on the device, and images."""
    module, size = module_of(request.param), SIZES[request.param]
    images = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    return Network(module, name=request.param), Network(module, name=request.param, device=device), images


def near(found, expected, share=OF_RANGE):
    spread = float(expected.max() - expected.min())
    torch.testing.assert_close(found.cpu().float(), expected.float(), rtol=0, atol=share * spread)


def test_the_network_is_on_the_device(both, device):
    assert both[1].device.type == torch.device(device).type
    assert both[1].logits(both[2]).device.type == torch.device(device).type


def test_logits_and_predictions(both):
    cpu, there, images = both
    near(there.logits(images), cpu.logits(images))
    assert torch.equal(there.predict(images), cpu.predict(images))


@pytest.mark.parametrize("engine", ["full", "incremental", "auto"])
@pytest.mark.parametrize("replacement", ["blur", "uniform"])
def test_scores_are_within_1e_5_of_their_range(engine, replacement, both):
    cpu, there, images = both
    options = {"regions": images.shape[-1] // 4, "order": "random", "replacement": replacement}
    near(
        hp.perturb(there, images, engine=engine, **options).scores,
        hp.perturb(cpu, images, engine="full", **options).scores,
    )


def test_incremental_evaluation_is_full_evaluation(both):
    _, there, images = both
    options = {"regions": images.shape[-1] // 6, "order": "random", "repeats": 2}
    near(*(hp.perturb(there, images, engine=engine, **options).scores for engine in ("incremental", "full")))


@pytest.mark.parametrize("replacement", sorted(set(REPLACEMENTS) - {"inpaint", "drop"}))
def test_every_replacement(replacement, device):
    module, images = module_of("cnn"), torch.rand(2, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    options = {"regions": 6, "order": "random", "replacement": replacement}
    near(hp.perturb(Network(module, device=device), images.to(device), **options).scores,
         hp.perturb(Network(module), images, **options).scores)  # fmt: skip


def test_dropped_tokens(device):
    module, images = module_of("transformer"), torch.rand(2, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    options = {"regions": 6, "order": "random", "replacement": "drop"}
    near(hp.perturb(Network(module, device=device), images, **options).scores,
         hp.perturb(Network(module), images, **options).scores)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_heatmaps(method, device):
    module = module_of("transformer" if of_attention(method) else "cnn")
    images = torch.rand(3, 3, 18, 18, generator=torch.Generator().manual_seed(2))
    near(hp.explain(Network(module, device=device), images, method), hp.explain(Network(module), images, method), 1e-4)


def test_heatmaps_of_images_on_the_device_stay_there(device):
    network, images = Network(module_of("cnn"), device=device), torch.rand(2, 3, 18, 18).to(device)
    assert hp.explain(network, images, "lrp-epsilon").device == images.device


def test_bf16_is_audited(both):
    _, there, images = both
    found = hp.compare(there, images, ["gradient-x-input", "sobel"], protocol="samek2017", precision="bf16",
                       regions=images.shape[-1] // 4)  # fmt: skip
    assert 0 < found.rounding.mean <= found.rounding.largest < 0.2


def test_tf32_is_off_whatever_the_process_allows(both):
    """On a GPU that has it, TF32 would change the scores of a ResNet by more than they may differ."""
    cpu, there, images = both
    with multiplying(tf32=True):
        near(there.logits(images), cpu.logits(images))


def test_a_comparison_says_the_same(both):
    cpu, there, images = both
    options = {"protocol": "samek2017", "regions": images.shape[-1] // 4, "audit": 0}
    found, expected = (
        hp.compare(network, images, ["gradient-x-input", "sobel"], **options) for network in (there, cpu)
    )
    for name, curves in expected.morf.items():
        if torch.equal(found.morf[name].orders, curves.orders):  # a tie within rounding may be decided otherwise
            near(found.morf[name].scores, curves.scores)
    assert sum(torch.equal(found.morf[name].orders, curves.orders) for name, curves in expected.morf.items()) >= 2
