"""LRP through attention against LXT, which rewrites torchvision's classes for a whole process: it runs in its own."""

import importlib.util
import subprocess
import sys

import pytest

SCRIPT = """
import sys, types
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from torchvision.models import VisionTransformer

import heatproof as hp
from heatproof.network.operations import relevance

folder = Path(find_spec("lxt").submodule_search_locations[0])
for name in ("efficient", "efficient.models"):  # whose own imports need the language models of transformers
    package = types.ModuleType(f"lxt.{name}")
    package.__path__ = [str(folder / name.replace(".", "/"))]
    sys.modules[package.__name__] = package


def vit():
    torch.manual_seed(0)
    module = VisionTransformer(
        image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5
    )
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


images = torch.rand(3, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
network = hp.Network(vit())
targets = network.predict(images)
relevance.divided.__defaults__ = (1e-30,)
ours = hp.explain(network, images, "lrp-attention[gamma=0,epsilon=1e-30]", targets=targets)

from lxt.efficient.models.vit_torch import cp_LRP

for patched, patch in cp_LRP.items():
    assert patch(patched)
inputs = images.clone().requires_grad_()
vit()(inputs).gather(1, targets[:, None]).sum().backward()
theirs = (inputs.grad * images).sum(dim=1)
print(float((ours - theirs).abs().max() / theirs.abs().max()))
"""


@pytest.mark.skipif(importlib.util.find_spec("lxt") is None, reason="LXT is not installed (pip install --no-deps lxt)")
def test_constant_softmax_is_what_lxt_computes():
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) < 1e-7  # LXT has stabilisers of its own
