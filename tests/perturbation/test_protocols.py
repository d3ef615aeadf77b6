"""Protocols by name, with options in brackets."""

import pytest
import torch

import heatproof as hp
from heatproof.options.studies import CompareOptions
from heatproof.options.texts import as_steps
from heatproof.perturbation import Protocol
from heatproof.perturbation.protocols import PROTOCOLS, protocol_of

REMOVING_ALL = ["coarse-blur", "coarse-uniform", "dropped-tokens", "medium-blur", "large-blur"]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_name_without_options_is_what_it_was(name):
    found = protocol_of(CompareOptions(score="margin"), name)
    steps = "all" if name in REMOVING_ALL else None
    assert (found.steps, found.score, found.scored) == (steps, "margin", None if name == "samek2017" else 4)


@pytest.mark.parametrize("name", REMOVING_ALL)
def test_options_in_brackets(name):
    found = protocol_of(CompareOptions(score="margin"), f"{name}[score=probability,removed=0.25]")
    plain = protocol_of(CompareOptions(), name)
    assert (found.steps, found.score) == ("25%", "probability")
    assert (found.regions, found.replacement, found.scored) == (plain.regions, plain.replacement, plain.scored)
    assert protocol_of(CompareOptions(), f"{name}[removed=1]") == plain


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coarse-blur[removed=0]", r"removed must be a number from 0\.01 to 1, got 0"),
        ("coarse-blur[removed=half]", "removed must be a number, got 'half'"),
        ("coarse-blur[score=logits]", "unknown score 'logits'; did you mean 'logit'"),
        ("coarse-blur[steps=3]", "unknown option of protocol 'coarse-blur': 'steps'"),
        ("samek2017[score=logit]", "unknown option of protocol 'samek2017': 'score'"),
        ("coarse-blurred[removed=0.5]", "unknown protocol 'coarse-blurred"),
        ("auto[removed=0.5]", "unknown protocol 'auto"),
        ("coarse-blur[removed", "options are written name"),
    ],
)
def test_what_a_protocol_is_not_told(name, message):
    with pytest.raises(hp.InputError, match=message):
        protocol_of(CompareOptions(), name)


def test_how_much_is_removed_is_said_once():
    with pytest.raises(hp.InputError, match=r"coarse-blur\[removed=0.5\] says how much is removed, and so does steps"):
        protocol_of(CompareOptions(steps=3), "coarse-blur[removed=0.5]")
    assert protocol_of(CompareOptions(steps=3), "coarse-blur[score=margin]").steps == 3


@pytest.mark.parametrize(("steps", "number"), [("50%", 8), ("1%", 1), ("100%", 16), ("12.5%", 2)])
def test_a_share_of_the_regions_is_removed(steps, number):
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    network = hp.Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 2)))
    share, counted = (
        hp.perturb(network, images, images.sum(dim=1), regions=4, steps=given) for given in (steps, number)
    )
    assert torch.equal(share.scores, counted.scores)
    assert float(share.removed_fraction[0, 0, -1]) == number / 16
    assert as_steps(steps) == steps


@pytest.mark.parametrize("steps", ["0%", "101%", "half", "-5%", "%", "9999%"])
def test_what_is_no_share(steps):
    with pytest.raises(TypeError, match="steps must be a whole number"):
        Protocol(steps=steps)
    with pytest.raises(hp.InputError, match="steps must be a whole number, a share such as '50%', or 'all'"):
        as_steps(steps)
