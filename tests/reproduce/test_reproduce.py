"""The paper's figures and tables: what is missing is named, and what is made is written beside what the paper found."""

import pytest
from matplotlib.figure import Figure
from reproduce.results import Result
from reproduce.sources import SIZES, SOURCES

from heatproof.report import Table
from reproduce import assessment, complexity, perturbation, replacements


@pytest.mark.parametrize("part", [perturbation, complexity, replacements])
def test_data_and_weights_that_are_missing_are_named(part, tmp_path):
    found = next(iter(part.run(tmp_path, SIZES["small"])))
    text = "\n".join(found.text)
    assert all(source.images in text and source.weights in text for source in SOURCES)
    assert not found.figures


def test_missing_training_pictures_are_named(tmp_path):
    (found,) = assessment.run(tmp_path, SIZES["small"])
    assert "train-jpeg.parquet" in found.text[0]


def test_what_is_there_is_not_missing(tmp_path):
    source = SOURCES[0]
    (tmp_path / "data" / source.images).mkdir(parents=True)
    assert source.weights in source.missing(tmp_path)
    assert f"data/{source.images}" not in source.missing(tmp_path)


def test_a_result_is_a_page_with_its_figures_and_the_paper_s_words(tmp_path):
    result = Result("figure0", "Figure 0: nothing", "nothing was found.", figures={"empty": Figure()})
    result.add("Numbers", Table(("name", "value"), (("a", 1.5),), ()))
    page = result.write(tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    assert "**In the paper:** nothing was found." in text
    assert "### Numbers" in text
    assert "| a |" in text
    assert "![empty](figure0-empty.png)" in text
    assert (tmp_path / "new" / "figure0-empty.png").stat().st_size > 0
