"""What a survey says of findings that were made for it."""

import numpy as np
import pytest
import scipy

from heatproof.measures.effects import effect_size
from heatproof.measures.generality import in_general
from heatproof.perturbation import Engine
from heatproof.report.studies import survey as told
from heatproof.results.contrasts import contrasts
from heatproof.results.findings import CellName, Finding
from heatproof.results.survey import SurveyResult
from heatproof.results.work import Work

IMAGES = 40


def finding(network, data, protocol, advantages, *, can_judge=True, seed=0):
    """A finding in which each method's values are normal, with these means; images have effects of their own."""
    generator = np.random.default_rng([seed, *map(ord, network + data + protocol)])
    shared = generator.normal(0, 0.5, IMAGES)
    values = {name: mean + shared + generator.normal(0, 0.5, IMAGES) for name, mean in advantages.items()}
    names = list(values)
    pairs = {(a, b): values[a] - values[b] for i, a in enumerate(names) for b in names[i + 1 :]}
    return Finding(
        name=CellName(network, data, protocol),
        chosen=protocol,
        images=tuple(f"{data}/{number}" for number in range(IMAGES)),
        classes=("cat",) * IMAGES,
        groups=("cat",) * IMAGES,
        unit="logit",
        values=values,
        relative=contrasts(values),
        differences=contrasts(pairs),
        shown={name: mean > 0.5 for name, mean in advantages.items()},
        can_judge=can_judge,
        truth={},
        work=Work(10, 1.0, 1.0, 2.0, Engine("full", 0, 3, "asked for")),
        skipped=0,
        errors=(),
    )


def surveyed(*findings, failed=None):
    return SurveyResult(tuple(findings), failed or {}, {})


CLEAR = {"good": 2.0, "fair": 1.0, "poor": 0.0}
OPPOSITE = {"good": 0.0, "fair": 1.0, "poor": 2.0}


def test_in_general_is_over_means_of_networks():
    cells = [finding(n, d, "p", CLEAR) for n, d in (("one", "a"), ("one", "b"), ("two", "a"), ("three", "a"))]
    general = surveyed(*cells).general("p")["good"]
    effects = [effect_size(cell.values["good"]) for cell in cells]
    expected = [np.mean(effects[:2]), effects[2], effects[3]]  # the two cells of one network count once
    assert general.networks == 3
    assert general.estimate.mean == pytest.approx(np.mean(expected))
    low, high = scipy.stats.ttest_1samp(expected, 0).confidence_interval(0.95)
    assert (general.estimate.low, general.estimate.high) == pytest.approx((low, high))


def test_what_holds_everywhere_and_what_depends():
    agreeing = surveyed(*(finding(n, "a", "p", CLEAR) for n in ("one", "two", "three", "four")))
    pair = agreeing.pairs("p")["good", "poor"]
    assert pair.everywhere
    assert pair.holds
    assert not pair.depends
    assert told.pairs_table(agreeing, "p").rows[0][-1] == "everywhere"
    split = surveyed(finding("one", "a", "p", CLEAR), finding("two", "a", "p", OPPOSITE))
    assert all(one.depends for name, one in split.pairs("p").items() if set(name) == {"good", "poor"})
    assert any("Different in different comparisons" in sentence for sentence in told.verdict(split))


def test_rankings_agree_by_factor():
    found = surveyed(
        finding("one", "a", "p", CLEAR), finding("two", "a", "p", OPPOSITE), finding("one", "b", "p", CLEAR),
        finding("one", "a", "q", CLEAR),
    )  # fmt: skip
    between = {factor: found.agreement(factor) for factor in ("network", "data", "protocol")}
    assert (between["network"][0].mean, between["network"][1]) == (-1, 1)
    assert (between["data"][0].mean, between["data"][1]) == (1, 1)
    assert (between["protocol"][0].mean, between["protocol"][1]) == (1, 1)
    assert surveyed(finding("one", "a", "p", CLEAR)).agreement("network") is None


def test_the_interval_of_agreement_is_over_networks():
    """Of data sets, each network has one pair: Student's interval over them."""
    fair = {"good": 2.0, "fair": -1.0, "poor": 1.0}
    others = {"one": CLEAR, "two": OPPOSITE, "three": fair, "four": CLEAR}
    cells = [finding(name, "a", "p", CLEAR) for name in others]
    cells += [finding(name, "b", "p", advantages) for name, advantages in others.items()]
    agreed, pairs = surveyed(*cells).agreement("data")
    expected = in_general(np.array([1.0, -1.0, 1 / 3, 1.0])).estimate
    assert pairs == 4
    assert (agreed.mean, agreed.low, agreed.high) == pytest.approx((expected.mean, expected.low, expected.high))
    between, pairs = surveyed(*cells[:4]).agreement("network")
    assert (between.mean, between.low, between.high, pairs) == (1, 1, 1, 6)
    assert np.isnan(surveyed(*cells[:2]).agreement("network")[0].low)


def test_a_method_of_some_networks_is_not_the_best_of_all():
    met = {"one": CLEAR, "two": CLEAR | {"rare": 9.0}, "three": CLEAR}
    found = surveyed(*(finding(name, "a", "p", advantages) for name, advantages in met.items()))
    said = told.verdict(found)
    assert said[0].startswith("Under p, good has the largest effect size")
    assert said[1] == "Shown to explain in each of 3 comparisons: good and fair; in none: poor."
    assert said[2].startswith("Asked about on fewer networks, and not part of this: rare (d = ")
    (everywhere,) = [sentence for sentence in said if sentence.startswith("Significant in each comparison")]
    assert everywhere == "Significant in each comparison: good better than fair and poor; fair better than poor."


def test_a_protocol_that_cannot_judge_says_nothing():
    found = surveyed(finding("one", "a", "p", CLEAR), finding("two", "a", "p", OPPOSITE, can_judge=False))
    assert found.general("p")["good"].networks == 1
    said = told.verdict(found)
    assert any("One network says nothing about others" in sentence for sentence in said)
    assert any(sentence.startswith("No verdict in two / a / p") for sentence in said)
    assert told.warnings(found) == []


def test_one_network_gives_no_general_conclusion():
    found = surveyed(finding("one", "a", "p", CLEAR), finding("one", "b", "p", CLEAR))
    assert not any(pair.holds for pair in found.pairs("p").values())
    assert any(pair.everywhere for pair in found.pairs("p").values())


def test_methods_that_a_cell_lacks():
    found = surveyed(finding("one", "a", "p", CLEAR), finding("two", "a", "p", {"good": 2.0, "only here": 1.0}))
    assert found.general("p")["only here"].networks == 1
    assert found.pairs("p")["good", "fair"].cells == 1
    assert told.table(found).rows[1][:5] == ("two", "a", "p", IMAGES, "yes")
    assert told.table(found).rows[1][5 + found.methods.index("fair")] is None


def test_the_long_table_has_every_value():
    cells = [finding("one", "a", "p", CLEAR), finding("one", "b", "p", CLEAR)]
    frame = surveyed(*cells).frame()
    assert len(frame) == 2 * 3 * IMAGES
    (row,) = frame.filter(data="b", method="fair", image="b/7").to_dicts()
    assert row["value"] == cells[1].values["fair"][7]
    assert row["unit"] == "logit"


def test_long_lists_end_in_the_tables():
    names = {f"m{number}": float(number) for number in range(6)}
    turned = {name: -value for name, value in names.items()}
    said = told.verdict(surveyed(finding("one", "a", "p", names), finding("two", "a", "p", turned)))
    assert any("more (see the tables)" in sentence for sentence in said)
