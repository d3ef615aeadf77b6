"""What pages say of speed is what the files in benchmarks/results hold; no time is tested."""

import doctest
import json
import re
from datetime import date

import equal_error
import numpy as np
import pages
import pytest
import tables

VERSIONS = {"python": "3.11.7", "torch": "2.14.1"}


def results(folder, threads=1, **options):
    return tables.Results("speed", ["torch"], threads=threads, folder=folder, **options)


@pytest.fixture(autouse=True)
def other_versions(monkeypatch):
    """What is installed does not matter here."""
    monkeypatch.setattr(tables, "version", VERSIONS.__getitem__)
    monkeypatch.setattr(tables.platform, "python_version", lambda: VERSIONS["python"])


@pytest.mark.parametrize("module", [tables, pages, equal_error], ids=lambda module: module.__name__)
def test_examples_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_a_page_says_what_was_measured(page):
    text = page.read_text(encoding="utf-8")
    assert pages.filled(text) == text, "python benchmarks/pages.py puts in what was measured"


def test_no_table_of_the_benchmarks_is_typed_by_hand():
    text = (pages.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert "|" not in pages.MARKED.sub("", text)


def test_all_texts_are_used():
    text = "".join(page.read_text(encoding="utf-8") for page in pages.PAGES)
    assert {name for _, kind, name, *_ in pages.MARKED.findall(text) if kind == "text"} == set(pages.TEXTS)


def test_all_that_was_measured_is_shown_and_has_a_script():
    text = "".join(page.read_text(encoding="utf-8") for page in pages.PAGES)
    shown = {name for _, kind, name, *_ in pages.MARKED.findall(text) if kind == "table"}
    assert {path.stem for path in tables.RESULTS.glob("*.json")} <= shown
    assert all((pages.ROOT / "benchmarks" / f"bench_{name}.py").exists() for name in shown)


@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_measured_has_machine_versions_and_dates(path):
    record = tables.read(path)
    assert record["name"] == path.stem
    assert set(record["machine"]) == {"processor", "cores", "threads", "dtype"}
    assert "heatproof" in record["versions"]
    assert record["rows"]
    for row in record["rows"]:
        date.fromisoformat(row["date"])


def test_the_estimate_for_a_million_images_is_near_what_was_measured():
    page = (pages.ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    designs = re.findall(r'^    \(".*", \d+, \d+, ([\d.]+), ([\d.]+)\),$', page, re.MULTILINE)
    rows = {row["cells"]["network"]: row["cells"] for row in tables.read(tables.RESULTS / "incremental.json")["rows"]}
    columns = ("evaluations/s", "every fifth, scores/s", "evaluations/s")
    assert len(designs) == len(columns)
    for column, rates in zip(columns, designs, strict=True):
        for network, rate in zip(("SqueezeNet 1.0", "VGG-16"), rates, strict=True):
            assert float(rate) == pytest.approx(rows[network][column], rel=0.2), "change the rates in docs/scale.md"


def test_rows_are_kept_as_they_come_and_replaced_by_their_key(tmp_path):
    first = results(tmp_path)
    first.add({"network": "A", "rate": 1.0}, {"rounds": [1.0]})
    first.add({"network": "B", "rate": 2.0})
    later = results(tmp_path)
    assert later.has("A")
    assert not later.has("C")
    later.add({"network": "A", "rate": 3.0})
    later.add({"network": "0", "rate": 4.0})
    later.sort(["0", "A", "B"])
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [(row["cells"]["network"], row["cells"]["rate"]) for row in rows] == [("0", 4.0), ("A", 3.0), ("B", 2.0)]
    assert list(tmp_path.iterdir()) == [tmp_path / "speed.json"]


def test_a_key_may_have_several_cells(tmp_path):
    found = results(tmp_path, keys=2)
    for method, rate in (("x", 1.0), ("y", 2.0), ("x", 3.0)):
        found.add({"network": "A", "method": method, "rate": rate})
    assert [row["cells"]["rate"] for row in found.rows] == [3.0, 2.0]


def test_rows_of_another_machine_or_other_versions_are_replaced(tmp_path, monkeypatch, capsys):
    results(tmp_path).add({"network": "A", "rate": 1.0})
    assert results(tmp_path, threads=2).rows == []
    monkeypatch.setitem(VERSIONS, "torch", "2.15.0")
    other = results(tmp_path)
    assert "other versions" in capsys.readouterr().out
    other.add({"network": "B", "rate": 2.0})
    assert [row["cells"]["network"] for row in tables.read(tmp_path / "speed.json")["rows"]] == ["B"]


def test_a_table_has_a_dash_where_a_row_has_no_cell(tmp_path):
    found = results(tmp_path)
    found.add({"network": "A", "rate": 1234.5})
    found.add({"network": "B", "rate": None, "compiling, s": "more than 60"})
    assert tables.markdown(found.record).splitlines()[2:] == [
        "| network | rate | compiling, s |",
        "| --- | ---: | --- |",
        "| A | 1,234 | – |",
        "| B | – | more than 60 |",
    ]


def test_markers_are_filled_in_a_line_and_between_lines(tmp_path):
    text = "Now <!-- text: against-quantus -->old<!-- end -->.\n<!-- table: incremental -->\nold\n<!-- end -->\n"
    empty = "Now <!-- text: against-quantus --><!-- end -->.\n<!-- table: incremental -->\n{}\n<!-- end -->\n"
    unmeasured = "Not measured yet: `python benchmarks/bench_incremental.py`."
    assert pages.filled(text, tmp_path) == empty.format(unmeasured)
    found = tables.Results("incremental", ["torch"], threads=1, folder=tmp_path)
    found.add({"network": "A", "× Quantus": 2.04})
    found.add({"network": "B", "× Quantus": 9.96})
    filled = pages.filled(text, tmp_path)
    assert "Now <!-- text: against-quantus -->2.0 to 10.0 times as fast as Quantus<!-- end -->." in filled
    assert "| B | 9.96 |\n<!-- end -->" in filled
    assert pages.filled(filled, tmp_path) == filled


def test_the_speed_up_is_that_over_the_faster_of_both_loops():
    rows = [
        {"network": "A", "× plain loop": 6.0, "× compiled loop": 4.0},
        {"network": "B", "× plain loop": 2.0, "× compiled loop": None},
        {"network": "C", "× plain loop": 2.0, "× compiled loop": 0.9},
    ]
    assert pages.speed_up(rows) == (
        "The same numbers come 2.0 to 4.0 times sooner than from the fastest plain loop on 2 of 3 networks, most so on "
        "A; on C it is 0.9 times."
    )
    assert pages.speed_up(rows[:1]).endswith(
        "come 4.0 times sooner than from the fastest plain loop on 1 of 1 networks, most so on A."
    )


def test_the_settled_ranking_is_told_for_both_engines():
    rows = [
        {"network": network, "design": design, "× defaults": factor}
        for network, factors in {"A": (1.0, 40.0, 10.0), "B": (1.0, 90.0, 30.0)}.items()
        for design, factor in zip(
            ("defaults, until ranked", "paper, plain batches", "paper, heatproof"), factors, strict=True
        )
    ]
    assert "at equal error 40 to 90 times sooner" in pages.settled(rows)
    assert "and 10 to 30 times sooner" in pages.settled(rows)


def test_equal_error_needs_images_in_proportion_to_the_share_of_variance():
    """With independent errors of known size, N images of one design are as good as N · r / r' of the other."""
    generator = np.random.default_rng(0)
    effects = {"a": 2.0, "b": 1.0, "c": 0.0}

    def values(deviation):
        return {name: effect + deviation * generator.standard_normal(100_000) for name, effect in effects.items()}

    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    quiet, noisy = (equal_error.differences([values(deviation)], repeats=1) for deviation in (0.5, 1.5))
    assert quiet.share(pairs) == pytest.approx(3 * 2 * 0.5**2 / (1 + 4 + 1), rel=0.03)
    assert noisy.share(pairs) / quiet.share(pairs) == pytest.approx(9, rel=0.05)


def test_a_share_of_mostly_noise_is_not_known():
    pair = ("a", "b")
    few, enough = (equal_error.Differences({pair: 1.0}, {pair: 4.0}, images) for images in (8, 9))
    assert few.share([pair]) == float("inf")
    assert enough.share([pair]) == pytest.approx(4 / (1 - 4 / 9))


def test_variances_of_more_repeats_follow_from_two():
    generator = np.random.default_rng(0)
    own = generator.standard_normal(100_000)  # of the image, the same in all repeats
    runs = [{"a": 3 + own + 2 * generator.standard_normal(100_000), "b": np.zeros(100_000)} for _ in range(2)]
    found = equal_error.differences(runs, repeats=10)
    assert found.variances["a", "b"] == pytest.approx(1 + 4 / 10, rel=0.05)
    assert found.means["a", "b"] == pytest.approx(3, abs=0.05)
