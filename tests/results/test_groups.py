"""For which images methods fail."""

import numpy as np
import pytest
import scipy
from tests.results.test_survey import finding, surveyed

from heatproof.measures.significance import holm
from heatproof.report.studies import survey, survey_tables
from heatproof.results.findings import UNGROUPED, Finding
from heatproof.results.groups import fails_of_groups

GROUPS = ("day",) * 20 + ("night",) * 17 + ("dusk",) * 3


def grouped(one, groups=GROUPS, **values):
    return Finding(**{**vars(one), "groups": groups, "values": {**one.values, **values}})


def test_the_share_and_its_test_follow_from_the_values():
    fails = np.r_[np.full(18, 1.0), np.full(2, -1.0), np.full(5, 1.0), np.full(12, -1.0), np.ones(3)]
    one = grouped(finding("one", "a", "p", {"good": 2.0, "fair": 1.0}), good=fails)
    day, night = fails_of_groups([one])  # of three images nothing is said
    assert (day.group, day.images, night.group, night.images) == ("day", 20, "night", 17)
    assert (day.share["good"], night.share["good"]) == (0.1, pytest.approx(12 / 17))
    failed = (fails <= 0).astype(float)
    raw = [
        scipy.stats.mannwhitneyu(failed[here], failed[~here]).pvalue
        for here in (np.array(GROUPS) == "day", np.array(GROUPS) == "night")
    ]
    expected = holm(np.array([raw[0], of_fair(one, "day"), raw[1], of_fair(one, "night")]))
    assert [day.p["good"], day.p["fair"], night.p["good"], night.p["fair"]] == pytest.approx(expected)
    assert day.differs("good")
    assert not day.differs("fair")


def of_fair(one, group):
    """The uncorrected p-value of the other method."""
    failed = (one.values["fair"] <= 0).astype(float)
    here = np.array(one.groups) == group
    return scipy.stats.mannwhitneyu(failed[here], failed[~here]).pvalue if len({*failed}) > 1 else 1.0


def test_an_image_that_several_cells_met_counts_once():
    first = grouped(finding("one", "a", "p", {"good": 9.0}))
    second = grouped(finding("two", "a", "p", {"good": -9.0}))
    found = fails_of_groups([first, second])
    assert [one.images for one in found] == [20, 17]
    assert {one.share["good"] for one in found} == {0.5}
    assert {one.p["good"] for one in found} == {1.0}


def test_one_group_alone_says_nothing():
    assert fails_of_groups([finding("one", "a", "p", {"good": 1.0})]) == []


def test_the_table_marks_what_differs():
    values = np.r_[np.ones(20), -np.ones(17), np.ones(3)]
    table = survey_tables.fails_table(surveyed(grouped(finding("one", "a", "p", {"good": 1.0}), good=values)))
    assert table.rows == (("a", "day", 20, "0% *"), ("a", "night", 17, "100% *"))


def test_a_table_of_other_images_is_told():
    found = surveyed(grouped(finding("one", "a", "p", {"good": 1.0}), (UNGROUPED,) * 40))
    assert survey.warnings(found) == ["no image of a is in its table of groups"]


def test_what_is_significant_is_marked():
    cells = [finding("one", "a", "p", {"good": 2.0, "fair": 0.4, "poor": 0.0})]
    silent = finding("two", "a", "p", {"good": 2.0, "fair": 0.4, "poor": 0.0}, can_judge=False)
    table = survey_tables.matrix_table(surveyed(*cells, silent), "p")
    assert table.columns == ("method", "in general", "one / a", "two / a")
    by_method = {row[0]: row[2:] for row in table.rows}
    assert by_method["good"][0] == f"{cells[0].effects['good']:.2f} ++"
    assert by_method["fair"][0] == f"{cells[0].effects['fair']:.2f} +"
    assert by_method["poor"] == (f"{cells[0].effects['poor']:.2f}", f"({silent.effects['poor']:.2f})")
