"""What heatmaps say about a network, from curves made by hand."""

import numpy as np
import pytest
import torch

from heatproof.measures import quality
from heatproof.measures.quality import (
    ALONE,
    CONTROLS,
    QUALITIES,
    SCORES,
    Perturbed,
    series_of,
)
from heatproof.perturbation import Curves, Engine, Protocol
from heatproof.perturbation.removal import HeldRemoval
from heatproof.perturbation.scores import SCORES as KNOWN


def curves(scores):
    count, _, steps = scores.shape
    return Curves(
        scores=scores,
        removal=HeldRemoval(
            torch.arange(steps - 1).expand(count, 1, -1),
            torch.linspace(0, 1, steps).expand(count, 1, -1),
        ),
        scored=torch.arange(steps).expand(count, 1, -1),
        targets=torch.zeros(count, dtype=torch.long),
        images=tuple(map(str, range(count))),
        order="given",
        protocol=Protocol(),
        engine=Engine("full", 0, 0, ""),
    )


def perturbed(morf, random):
    """From logits (N, repeats, L + 1, classes); class 0 is the target."""
    both = []
    for logits in (morf, random):
        flat, targets = logits.flatten(end_dim=2), torch.zeros(logits.shape[:3].numel(), dtype=torch.long)
        both.append({name: curves(KNOWN[name](flat, targets).reshape(logits.shape[:3])) for name in SCORES})
    return Perturbed(*both)


@pytest.fixture
def two_classes():
    """One image, two steps, logits z and −z: the standardised logit is the sign of z."""
    morf, random = ([2.0, 0.0, -1.0], [2.0, 2.0, -1.0])
    return perturbed(*(torch.tensor([[[[z, -z] for z in curve]]]).double() for curve in (morf, random)))


def test_quantities_by_hand(two_classes):
    """AOPC of 2, 0, −1: (0 + 2 + 3)/3; of 2, 2, −1: (0 + 0 + 3)/3."""
    found = {name: float(series_of(quantity, [two_classes]).values()[0]) for name, quantity in QUALITIES.items()}
    p = [1 / (1 + np.exp(-2 * z)) for z in (2.0, 0.0, -1.0)]
    assert found == pytest.approx(
        {
            "AOPC": 5 / 3,
            "above random": 2 / 3,
            "relative drop": 1 / 3,  # of the logit 2
            "standardised": 1 / 3,  # 1, 0, −1 against 1, 1, −1
            "probability": (p[0] - p[1]) / 3,
        }
    )
    alone = {name: float(series_of(quantity, [two_classes]).values()[0]) for name, quantity in ALONE.items()}
    assert alone == pytest.approx(
        {
            "relative drop alone": 5 / 6,
            "standardised alone": 1.0,  # 1, 0, −1
            "probability alone": (2 * p[0] - p[1] - p[2]) / 3,
        }
    )
    controls = {name: float(series_of(quantity, [two_classes]).values()[0]) for name, quantity in CONTROLS.items()}
    assert controls == pytest.approx({"mean logit": 2.0, "mean confidence": p[0]})


@pytest.fixture
def logits():
    generator = torch.Generator().manual_seed(4)
    return [torch.randn(6, 2, 5, 4, generator=generator, dtype=torch.float64) + 2 for _ in range(2)]


def test_scale(logits):
    """All logits times three: raw AOPC times three, what is scale-free stays, the probability does neither."""
    once, thrice = perturbed(*logits), perturbed(*(3 * part for part in logits))
    values = {name: series_of(quantity, [once, thrice]).values() for name, quantity in (QUALITIES | ALONE).items()}
    for name in ("AOPC", "above random"):
        assert values[name][1] == pytest.approx(3 * values[name][0])
    for name in ("relative drop", "standardised", "relative drop alone", "standardised alone"):
        assert values[name][1] == pytest.approx(values[name][0])
    assert values["probability"][1] != pytest.approx(values["probability"][0], rel=0.01)
    assert abs(values["probability"]).max() <= 1


def test_shift(logits):
    """All logits plus a constant: the relative drop changes, the standardised logit does not."""
    once, shifted = perturbed(*logits), perturbed(*(part + 10 for part in logits))
    values = {name: series_of(quantity, [once, shifted]).values() for name, quantity in QUALITIES.items()}
    for name in ("AOPC", "above random", "standardised", "probability"):
        assert values[name][1] == pytest.approx(values[name][0])
    assert values["relative drop"][1] != pytest.approx(values["relative drop"][0], rel=0.01)


def test_all_qualities_are_zero_where_the_order_does_not_matter(logits):
    same = perturbed(logits[0], logits[0])
    for name in set(QUALITIES) - {"AOPC"}:
        assert series_of(QUALITIES[name], [same]).values()[0] == 0


def test_every_quantity_tells_what_it_is():
    listed = " ".join(line for line in quality.__doc__.splitlines() if line.startswith("- ")).replace(",", ":")
    for name in QUALITIES | CONTROLS:
        assert f" {name}: " in listed
    assert {name.removesuffix(" alone") for name in ALONE} <= set(QUALITIES)
