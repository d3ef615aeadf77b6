"""R-OMS: the predicted class's probability while random regions go."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from heatproof import InputError, Network
from heatproof.measures import r_oms
from heatproof.perturbation import perturb


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3))
    return Network(module.double())


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 18, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def slow(module, image, target, walk, size):
    """Trapezoids over the removed share, one forward pass each, with black regions; transcribed, nothing batched."""
    side = image.shape[1] // size
    probabilities = []
    for step in range(len(walk) + 1):
        changed = image.clone()
        for region in walk[:step]:
            row, column = divmod(int(region), side)
            for i in range(row * size, row * size + size):
                for j in range(column * size, column * size + size):
                    changed[:, i, j] = 0
        logits = [float(value) for value in module(changed[None])[0]]
        exponentials = [torch.tensor(value, dtype=torch.float64).exp() for value in logits]
        probabilities.append(float(exponentials[target] / sum(exponentials)))
    return sum((before + after) / 2 for before, after in pairwise(probabilities)) / len(walk)


def test_is_the_slow_loop(network, images):
    curves = perturb(network, images, order="random", replacement="black", regions=6, repeats=1, score="probability")
    with torch.no_grad():
        expected = [
            slow(network.module, image, int(target), walk[0], 6)
            for image, target, walk in zip(images, curves.targets, curves.orders, strict=True)
        ]
    torch.testing.assert_close(r_oms(curves), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_closed_forms():
    never_lost, lost_at_once = torch.ones(2, 11), torch.zeros(2, 11)
    lost_at_once[:, 0] = 1
    torch.testing.assert_close(r_oms(never_lost), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(r_oms(lost_at_once), torch.full((2,), 0.05, dtype=torch.float64))
    falling = torch.linspace(1, 0, 11)[None]
    torch.testing.assert_close(r_oms(falling), torch.tensor([0.5], dtype=torch.float64))


def test_repeats_are_averaged():
    torch.testing.assert_close(
        r_oms(torch.stack([torch.ones(2, 5), torch.zeros(2, 5)], dim=1)), r_oms(torch.full((2, 5), 0.5))
    )


def test_what_it_needs(network, images):
    given = {"regions": 6, "repeats": 1, "score": "probability"}
    with pytest.raises(InputError, match="r_oms needs curves of order 'random', got 'morf'"):
        r_oms(perturb(network, images, images.sum(dim=1), **given))
    with pytest.raises(InputError, match="r_oms needs curves of the score 'probability', got 'logit'"):
        r_oms(perturb(network, images, order="random", **given | {"score": "logit"}))
    with pytest.raises(InputError, match="r_oms needs curves to full removal"):
        r_oms(perturb(network, images, order="random", **given, steps=3))
