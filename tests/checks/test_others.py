"""What Quantus', Captum's and pytorch-grad-cam's methods and metrics pass today, as docs/checks.md says.

A change of theirs, or of the suite, is noticed here: run ``python tests/checks/others.py`` and look at the page again.
"""

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"
_spec = importlib.util.spec_from_file_location("checks_others", Path(__file__).parent / "others.py")
others = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(others)

LONG = {"`PixelFlipping`", "`ROADMostRelevantFirst`", "`ROADCombined`", "`RegionPerturbation`", "`Selectivity`"}


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def columns():
    """The page's tables: by the title of a column, the sign of each check."""
    found = {}
    titles = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| check |"):
            titles = cells[1:]
            found |= {title: {} for title in titles}
        elif line.startswith("|") and titles and "---" not in line:
            for title, sign in zip(titles, cells[1:], strict=True):
                found[title][cells[0]] = sign
        elif not line.startswith("|"):
            titles = []
    return found


def installed(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@pytest.mark.parametrize(
    "other",
    [pytest.param(o, id=o.label, marks=[pytest.mark.slow] if o.label in LONG else []) for o in others.OTHERS],
)
def test_the_page_says_what_is_found(other):
    number = installed(other.package)
    if number is None:
        pytest.skip(f'{other.package} is not installed: pip install "heatproof[check-others]"')
    title = next(t for t in columns() if t.startswith(f"{other.package} ") and t.endswith(f": {other.label}"))
    if title != f"{other.package} {number}: {other.label}":
        pytest.skip(f"the page is about {title}, and {number} is installed")
    found = {check: others.SIGNS[outcome] for check, outcome in other.check().outcomes().items()}
    expected = {check: sign for check, sign in columns()[title].items() if check in found}
    assert found == expected


def test_every_column_of_the_page_is_someone_s():
    assert len(columns()) == len(others.OTHERS)
