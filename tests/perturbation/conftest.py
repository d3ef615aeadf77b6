import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.network import Network
from heatproof.perturbation import REPLACEMENTS


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def loop():
    """The slow reference, straight from the paper."""
    path = Path(__file__).parents[1] / "reference" / "perturbation_loop.py"
    spec = importlib.util.spec_from_file_location("perturbation_loop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pictures():
    """Makes (N, 3, H, W) images in [0, 1] in 256 steps, exact in every dtype from float16."""

    def make(count, height=18, width=18, seed=0, dtype=torch.float32):
        values = np.random.default_rng(seed).integers(0, 257, (count, 3, height, width)) / 256
        return torch.from_numpy(values).to(dtype)

    return make


@pytest.fixture(scope="session")
def heats():
    """Makes (N, H, W) heatmaps without ties."""
    return lambda count, height=18, width=18, seed=1: torch.from_numpy(
        np.random.default_rng(seed).standard_normal((count, height, width))
    )


@pytest.fixture(scope="session")
def convolutional():
    """A tiny convolutional network for images of any size, in float32 or float64, with scores of some size."""
    made = {}

    def make(dtype=torch.float64):
        if dtype not in made:
            with torch.random.fork_rng():
                torch.manual_seed(3)
                module = nn.Sequential(
                    nn.Conv2d(3, 6, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
                )
                nn.init.normal_(module[0].weight, std=2.0)
                nn.init.normal_(module[4].weight, std=2.0)
            made[dtype] = Network(module.to(dtype))
        return made[dtype]

    return make


class Linear(nn.Module):
    """f_c(x) = ⟨w_c, x⟩."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, inputs):
        return inputs.flatten(1) @ self.weight.flatten(1).T


@pytest.fixture(scope="session")
def linear():
    """Makes a network without biases from weights (classes, C, H, W)."""
    return lambda weight: Network(Linear(weight))


class Recording(Network):
    """Keeps all images that it is asked about, in the order of the questions."""

    def __init__(self, module):
        super().__init__(module)
        self.asked = []

    def evaluate(self, inputs):
        self.asked.append(inputs.clone())
        return super().evaluate(inputs)

    @property
    def seen(self):
        return torch.cat(self.asked)


@pytest.fixture
def recording():
    """Makes a linear network of ones that records; its answers do not matter."""
    return lambda height=18, width=18: Recording(Linear(torch.ones(2, 3, height, width)))


@pytest.fixture
def zeros(monkeypatch):
    """Registers the replacement "zeros" for the length of a test."""
    monkeypatch.setitem(REPLACEMENTS, "zeros", lambda images, *, generators: torch.zeros_like(images))
    return "zeros"
