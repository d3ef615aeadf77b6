import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.network import Network
from heatproof.perturbation import perturb
from heatproof.perturbation.subsets import removals

# six regions of other sizes in 12 × 12 pixels, and a border that is never removed
UNEQUAL = torch.full((12, 12), -1)
for index, (rows, columns) in enumerate(
    [((0, 5), (0, 4)), ((0, 5), (4, 11)), ((5, 8), (0, 2)), ((5, 11), (2, 6)), ((8, 11), (0, 2)), ((5, 11), (6, 11))]
):
    UNEQUAL[rows[0] : rows[1], columns[0] : columns[1]] = index


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def formulas():
    """The slow reference."""
    path = Path(__file__).parents[1] / "reference" / "measures_loop.py"
    spec = importlib.util.spec_from_file_location("measures_loop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def network():
    """A small network that is far from linear."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
        )
        nn.init.normal_(module[4].weight, std=2.0)
    return Network(module.double())


@pytest.fixture(scope="session")
def images():
    """(3, 3, 12, 12) in [0, 1]."""
    return torch.from_numpy(np.random.default_rng(0).random((3, 3, 12, 12)))


@pytest.fixture(scope="session")
def heatmaps():
    """(3, 12, 12) without ties."""
    return torch.from_numpy(np.random.default_rng(1).standard_normal((3, 12, 12)))


@pytest.fixture(scope="session")
def perturbed(network, images, heatmaps):
    """Curves by order; the same for the same options."""

    @cache
    def make(order, regions=4, **options):
        given = UNEQUAL if regions == "unequal" else regions
        chosen = {"repeats": 2, "score": "probability", "engine": "full"} | options
        return perturb(network, images, heatmaps, order=order, regions=given, **chosen)

    return make


@pytest.fixture(scope="session")
def scores_without(network, images):
    """Of curves, an image and a repeat: the function from a set of removed regions to the score."""

    def make(curves, image, repeat):
        removal = list(removals(images, replace(curves, order="given")))[image]

        @cache
        def score(removed):
            subset = torch.zeros(1, removal.count, dtype=torch.bool)
            subset[0, list(removed)] = True
            return float(removal.scores(network, subset, repeat, lambda evaluations: None))

        return score

    return make
