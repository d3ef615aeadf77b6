"""Scores that are the same whatever the network sees are refused; one logit has the sigmoid's probability."""

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof import InputError
from heatproof.perturbation.scores import log_probability, probability

IMAGES = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))
GIVEN = {"order": "random", "regions": 4, "repeats": 1}


def network(classes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(432, classes)), name="net")


def test_one_logit_has_the_probability_of_its_sigmoid():
    logits, targets = torch.tensor([[-2.0], [0.0], [3.0]]), torch.zeros(3, dtype=torch.long)
    torch.testing.assert_close(probability(logits, targets), torch.sigmoid(logits[:, 0]))
    torch.testing.assert_close(log_probability(logits, targets), torch.sigmoid(logits[:, 0]).log())
    found = hp.perturb(network(1), IMAGES, **GIVEN, score="probability").scores
    expected = hp.perturb(network(1), IMAGES, **GIVEN).scores.sigmoid()
    torch.testing.assert_close(found, expected)
    assert float(found.std()) > 0


@pytest.mark.parametrize(
    ("classes", "score", "reason"),
    [
        (2, "standardised_logit", "of two classes is 1 or −1, whatever their logits are; choose the score margin"),
        (1, "standardised_logit", "compares classes, and net has one; choose the score logit or probability"),
        (1, "margin", "the score margin compares classes, and net has one; choose the score logit or probability"),
    ],
)
def test_scores_that_say_nothing_are_refused_before_anything_is_computed(classes, score, reason):
    with pytest.raises(InputError, match=reason):
        hp.perturb(network(classes), IMAGES, **GIVEN, score=score)
    with pytest.raises(InputError, match=reason):
        hp.compare(
            network(classes),
            IMAGES,
            {"mine": lambda *_: pytest.fail("it began")},
            regions=4,
            score=score,
            protocol="samek2017",
        )


def test_others_are_not():
    for classes, score in ((3, "standardised_logit"), (2, "margin"), (1, "logit")):
        assert hp.perturb(network(classes), IMAGES, **GIVEN, score=score).scores.isfinite().all()
