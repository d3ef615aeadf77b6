"""The verdict's words follow corrected tests, and say what images agree on."""

import numpy as np
import pytest
from scipy import stats

from heatproof.measures import Estimate, estimate
from heatproof.measures.significance import holm, sign_flip, wilcoxon
from heatproof.report.studies.ranking import caution, contrasts_table, ranking_verdict
from heatproof.results.contrasts import Contrast, contrasts
from heatproof.results.ranking import FEW_IMAGES, rank

REFERENCE = "random order"


def values(**means):
    """AOPC of 40 images per method: a common spread between images, little within."""
    generator = np.random.default_rng(0)
    images = generator.normal(10, 5, 40)
    return {name.replace("_", " "): images + mean + generator.normal(0, 0.1, 40) for name, mean in means.items()}


def test_methods_are_ranked_and_paired_differences_are_significant_where_unpaired_intervals_overlap():
    ranking = rank(values(random_order=0, worse=-1, better=2, best=3), REFERENCE)
    assert ranking.methods == ["best", "better", "worse"]
    assert ranking.aopc["best"].low < ranking.aopc["better"].high  # unpaired intervals overlap
    assert ranking.differences["best", "better"].estimate.low > 0.9
    said = " ".join(ranking_verdict(ranking))
    assert "best has the highest AOPC" in said
    assert "Only best and better are significantly better than the random order." in said
    assert "worse is significantly worse than the random order." in said
    assert "best > better > worse" in said


def test_pairs_that_are_not_significantly_different_are_said():
    found = values(random_order=0, a=2, c=-2)
    found["b"] = found["a"] + np.where(np.arange(40) % 2, 0.5, -0.5)
    said = " ".join(ranking_verdict(rank(found, REFERENCE)))
    assert "Not significantly different: a from b; all other pairs" in said
    assert "but is not significantly better than" in said


def test_no_method_above_random_is_no_winner():
    found = values(random_order=0)
    found["noise"] = found[REFERENCE] + np.where(np.arange(40) % 2, 0.5, -0.5)
    said = " ".join(ranking_verdict(rank(found, REFERENCE)))
    assert "noise has the highest AOPC" in said
    assert "but is not significantly better than the random order" in said
    assert "No significant difference from the random order: noise." in said


def test_one_image_is_no_verdict_and_few_are_a_first_look():
    one = {name: value[:1] for name, value in values(random_order=0, a=2).items()}
    assert "one image says nothing" in " ".join(ranking_verdict(rank(one, REFERENCE)))
    few = {name: value[:5] for name, value in values(random_order=0, a=2).items()}
    assert "take this as a first look" in " ".join(ranking_verdict(rank(few, REFERENCE)))


def test_few_images_are_a_first_look_where_no_test_can_tell_and_below_what_was_simulated():
    """All images point one way: the least p-value is 2 / 2^N, times the number of differences."""
    for images in range(2, 14):
        for comparisons in (1, 3, 28):
            found = contrasts({number: np.arange(1.0, images + 1) for number in range(comparisons)})
            possible = any(one.significant for one in found.values())
            said = caution(images, comparisons)
            assert ("no test of " in said) is not possible
            assert ("first look" in said) is (not possible or images < FEW_IMAGES)


def test_contrasts_are_the_tests_corrected_by_holm_and_the_intervals_are_not():
    generator = np.random.default_rng(4)
    family = {name: mean + generator.normal(size=30) for name, mean in {"a": 0.9, "b": 0.5, "c": 0.3, "d": 0.0}.items()}
    together = np.stack(list(family.values()), axis=1)
    found = contrasts(family)
    assert [one.sign_flip for one in found.values()] == pytest.approx(holm(sign_flip(together)).tolist())
    assert [one.wilcoxon for one in found.values()] == pytest.approx(holm(wilcoxon(together)).tolist())
    assert [one.estimate for one in found.values()] == [estimate(values) for values in family.values()]
    assert [one.significant for one in found.values()] == [one.sign_flip <= 0.05 for one in found.values()]
    assert found["a"].above
    assert not found["a"].below
    alone = contrasts({"b": family["b"]})["b"]
    assert alone.sign_flip < found["b"].sign_flip


def test_what_is_significant_alone_may_not_be_among_many():
    found = values(random_order=0, **dict.fromkeys("abcdefgh", 0))
    noise = 0.1 * np.random.default_rng(0).normal(size=40)
    shifts = (noise + 0.002 * size for size in range(100))
    found["almost"] = found[REFERENCE] + next(one for one in shifts if contrasts({"only": one})["only"].above)
    among = rank(found, REFERENCE).relative["almost"]
    assert among.sign_flip > 0.05
    assert not among.significant


def test_methods_with_fewer_images_are_compared_on_those_that_both_have():
    found = values(random_order=0, a=2, b=1, c=-1)
    found["a"] = found["a"][:25]
    ranking = rank(found, REFERENCE)
    assert ranking.methods == ["a", "b", "c"]
    assert ranking.count == 40
    assert ranking.counts == {"a": 25, "b": 40, "c": 40, REFERENCE: 40}
    assert ranking.differences["a", "b"].images == ranking.relative["a"].images == 25
    assert ranking.differences["b", "c"].images == 40
    assert ranking.differences["a", "b"].estimate == estimate(found["a"] - found["b"][:25])
    first = {name: value[:25] for name, value in found.items()}
    assert ranking.concordance == rank(first, REFERENCE).concordance


def test_another_judge_may_decide():
    """As for images that were added until the ranking was settled: intervals decide, and no test was made."""
    asked = []

    def judge(family):
        asked.append(list(family))
        return {pair: Contrast(Estimate(1, -2, 3), 7, significant="a" in pair) for pair in family}

    ranking = rank(values(random_order=0, a=2, b=1, c=-1), REFERENCE, judge)
    assert asked == [[(name, REFERENCE) for name in "abc"], [("a", "b"), ("a", "c"), ("b", "c")]]
    assert not ranking.tested
    said = " ".join(ranking_verdict(ranking))
    assert "Only a is significantly better than the random order." in said
    assert "No significant difference from the random order: b and c." in said
    assert "Not significantly different: b from c; all other pairs" in said
    assert "sign-flip" not in said
    assert contrasts_table(ranking.differences, ("higher", "lower")).rows[0][5:] == (None, None, "yes")


def test_the_table_of_differences_says_what_was_tested():
    ranking = rank(values(random_order=0, a=2, b=1.99, c=-1), REFERENCE)
    table = contrasts_table(ranking.differences, ("higher", "lower"))
    assert table.columns[-3:] == ("p (sign flip)", "p (Wilcoxon)", "significant")
    assert [row[-1] for row in table.rows] == ["yes" if row[-3] <= 0.05 else "no" for row in table.rows]
    assert {row[-1] for row in table.rows} == {"yes", "no"}
    assert "Holm-corrected for the number of pairs" in table.notes[0]


@pytest.mark.parametrize(("noise", "words"), [(0.01, "largely agree"), (1.0, "agree in part"), (20, "hardly agree")])
def test_it_is_said_whether_images_agree_on_the_ranking(noise, words):
    generator = np.random.default_rng(0)
    found = {name: mean + noise * generator.normal(size=40) for name, mean in zip("abcd", range(4), strict=True)}
    found[REFERENCE] = np.zeros(40)
    assert f"Single images {words} on the ranking" in " ".join(ranking_verdict(rank(found, REFERENCE)))
    together = np.stack([found[name] for name in "abcd"])
    expected = stats.friedmanchisquare(*together).statistic / (40 * 3)
    assert rank(found, REFERENCE).concordance[0] == pytest.approx(expected)


def test_one_method_leaves_nothing_to_agree_on():
    assert "Single images" not in " ".join(ranking_verdict(rank(values(random_order=0, a=2), REFERENCE)))


def test_the_shorter_of_both_lists_is_said():
    """Of ten pairs, the verdict names the four significant ones, not the six others."""
    wobble = np.where(np.arange(40) % 2, 0.5, -0.5)
    found = values(random_order=0, first=5) | {name: values(**{name: 2})[name] for name in "abcd"}
    found |= {name: found[name] + wobble * (number - 1.5) for number, name in enumerate("abcd")}
    said = " ".join(ranking_verdict(rank(found, REFERENCE)))
    assert "Only these pairs of methods differ significantly: first from " in said


def test_no_significant_pair_is_one_short_sentence():
    wobble = np.where(np.arange(40) % 2, 0.5, -0.5)
    found = values(random_order=0)
    found |= {name: found[REFERENCE] + wobble * scale for scale, name in enumerate("abc", start=1)}
    assert "No pair of methods is significantly different." in ranking_verdict(rank(found, REFERENCE))


def test_the_first_may_be_chance_while_a_later_one_is_not():
    found = values(random_order=0, steady=1)
    found["wild"] = found[REFERENCE] + 1.5 + np.where(np.arange(40) % 2, 12, -12)
    said = ranking_verdict(rank(found, REFERENCE))
    assert said[0].startswith("wild has the highest AOPC, 1.5 ")
    assert said[0].endswith("not significantly better than the random order.")
    assert said[1] == "Only steady is significantly better than the random order."
