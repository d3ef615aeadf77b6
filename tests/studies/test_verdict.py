"""The verdict's words follow the intervals."""

import numpy as np

from heatproof.studies.verdict import rank, verdict

REFERENCE = "random order"


def values(**means):
    """AOPC of 40 images per method: a common spread between images, little within."""
    generator = np.random.default_rng(0)
    images = generator.normal(10, 5, 40)
    return {name.replace("_", " "): images + mean + generator.normal(0, 0.1, 40) for name, mean in means.items()}


def test_methods_are_ranked_and_paired_differences_separate_what_unpaired_intervals_do_not():
    ranking = rank(values(random_order=0, worse=-1, better=2, best=3), REFERENCE)
    assert ranking.methods == ["best", "better", "worse"]
    assert ranking.aopc["best"].low < ranking.aopc["better"].high  # unpaired intervals overlap
    assert ranking.differences["best", "better"].low > 0.9
    said = " ".join(verdict(ranking))
    assert "best explains this network best" in said
    assert "Better than the random order: best and better." in said
    assert "Worse than the random order: worse." in said
    assert "All methods separate from each other: best > better > worse." in said


def test_what_cannot_be_told_apart_is_said():
    found = values(random_order=0, a=2, c=-2)
    found["b"] = found["a"] + np.where(np.arange(40) % 2, 0.5, -0.5)
    said = " ".join(verdict(rank(found, REFERENCE)))
    assert "Not told apart: " in said
    assert "all other pairs separate" in said
    assert "not told apart from" in said


def test_no_method_above_random_is_no_winner():
    found = values(random_order=0)
    found["noise"] = found[REFERENCE] + np.where(np.arange(40) % 2, 0.5, -0.5)
    said = " ".join(verdict(rank(found, REFERENCE)))
    assert "No method is shown to explain better than the random order" in said
    assert "Not told apart from the random order: noise." in said


def test_one_image_is_no_verdict_and_few_are_a_first_look():
    one = {name: value[:1] for name, value in values(random_order=0, a=2).items()}
    assert "one image says nothing" in " ".join(verdict(rank(one, REFERENCE)))
    few = {name: value[:5] for name, value in values(random_order=0, a=2).items()}
    assert "take this as a first look" in " ".join(verdict(rank(few, REFERENCE)))
