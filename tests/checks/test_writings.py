"""The table of writings in docs/checks.md says what Captum, Zennit and heatproof do today."""

import importlib.util
from importlib.metadata import version
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
_spec = importlib.util.spec_from_file_location("writings", Path(__file__).with_name("writings.py"))
writings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(writings)


def rows():
    """The page's rows, by what is special in them: a cell for each tool and method."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|  | case |"))
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:] if line.startswith("|")]
    return table[0][2:], {row[1]: row[2:] for row in table[2:]}


def without_sizes(cell):
    """Machines round differently: how far a map is off is not compared."""
    return cell.split(" by ")[0].strip("*")


def same_versions():
    titles, _ = rows()
    return titles == [f"{tool} {version(tool)}: {label}" for tool, label in writings.ASKED]


other_versions = pytest.mark.skipif(not same_versions(), reason="the page is about other versions")


@other_versions
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", writings.CASES, ids=lambda case: case.text)
def test_the_page_says_what_is_found(case):
    found = [without_sizes(outcome) for outcome in case.outcomes().values()]
    assert found == [without_sizes(cell) for cell in rows()[1][case.text]]


@other_versions
@pytest.mark.filterwarnings("ignore")
def test_the_page_says_how_many_operations_are_right():
    text = f"{len(writings.OPERATIONS)} operations, each in two writings"
    assert rows()[1][text] == [*writings.operations().values()]


def test_every_row_is_a_case():
    assert len(rows()[1]) == len(writings.CASES) + 1


@pytest.mark.filterwarnings("ignore")
def test_heatproof_is_right_or_refuses():
    for cells in rows()[1].values():
        for cell in cells[3:]:
            assert cell in (writings.RIGHT, writings.REFUSED, writings.NOT_ASKED) or cell.endswith(" right")
