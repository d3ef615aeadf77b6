"""A method that does not beat a control is told."""

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.report.studies.ranking import unbeaten_controls
from heatproof.results.ranking import rank


def ranked(**values):
    noise = np.random.default_rng(0).normal(scale=0.1, size=(len(values) + 1, 40))
    named = {name.replace("__", ":").replace("_", "-"): value for name, value in values.items()}
    return rank(
        {name: v + noise[i] for i, (name, v) in enumerate([*named.items(), ("random order", 0)])}, "random order"
    )


def test_beaten_controls_are_not_mentioned():
    assert unbeaten_controls(ranked(good=3.0, sobel=1.0, randomised__good=0.5, negated__good=-2.0)) == []


def test_control_that_is_not_beaten():
    assert unbeaten_controls(ranked(good=3.0, other=1.0, sobel=1.0)) == [
        "other is not significantly better than sobel, which never saw the network"
    ]
    assert unbeaten_controls(ranked(good=3.0, other=1.0, third=0.0, centre_gaussian=4.0)) == [
        "good, other and third are not significantly better than centre-gaussian, which never saw the network"
    ]


def test_controls_of_one_method_are_its_own():
    found = unbeaten_controls(ranked(good=3.0, other=0.0, randomised__good=2.0, negated__other=1.0))
    assert found == ["other is not significantly better than negated:other, which has its signs flipped"]
    found = unbeaten_controls(ranked(good=3.0, randomised__good=3.0))
    (said,) = found
    assert said.startswith("good is not significantly better than randomised:good, which ")


def test_random_and_constant_maps_are_left_to_the_verdict():
    assert unbeaten_controls(ranked(bad=0.0, random=0.0, constant=0.0)) == []


def test_comparison_warns():
    """The opposite of what the network reads is beaten by the edges of the image."""
    weight = torch.zeros(2, 3, 16, 16)
    weight[:, :, :8] = torch.tensor([1.0, -1.0])[:, None, None, None]
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 2))
    module[1].weight.data = weight.flatten(start_dim=1)
    images = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    options = {"regions": 4, "replacement": "black", "targets": torch.zeros(6, dtype=torch.int64)}
    good, bad = ({"mine": name, "sobel": "sobel"} for name in ("gradient-x-input", "negated:gradient-x-input"))
    text = "mine is not significantly better than sobel, which never saw the network"
    assert text not in hp.compare(hp.Network(module), images, good, **options, protocol="samek2017").warnings
    assert text in hp.compare(hp.Network(module), images, bad, **options, protocol="samek2017").warnings


@pytest.mark.parametrize("name", ["sobel", "occlusion", "randomised:mine"])
def test_another_map_with_the_name_of_a_control_is_refused(name):
    """It would take the control's place, and not be ranked."""
    images = torch.rand(4, 3, 18, 18)
    network = hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2)))
    given = {"mine": torch.rand(4, 18, 18), name: torch.rand(4, 18, 18)}
    with pytest.raises(hp.InputError, match=f"'{name}' is the name of a control: give your own map another name"):
        hp.compare(network, images, given, protocol="coarse-blur")
    with pytest.raises(hp.InputError, match="is the name of a control"):
        hp.compare(network, images, {"sobel": "lrp-epsilon"}, protocol="coarse-blur")
