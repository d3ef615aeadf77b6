"""The paper's figures and tables: what is missing is named, and what is made is written beside what the paper found."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from reproduce.cells import SIZES, SURVEY, AtHand, Size, at_hand
from reproduce.results import Result
from tests.cli.tiny_networks import cnn
from tests.results.test_survey import finding, surveyed

import heatproof as hp
from heatproof.data import read_pictures
from heatproof.report import Table
from heatproof.runs.study_file import read_toml
from reproduce import assessment, complexity, perturbation, replacements

BROKEN = """
study = "survey"

[networks.gone]
network = "torchvision:resnet18"
weights = "nowhere.safetensors"

[data.photos]
pictures = ["photos"]
"""
SMALL = Size(images=4, repeats=1, seeds=1)


@pytest.fixture
def result():
    return Result("figure0", "Figure 0: nothing", "nothing was found.")


def test_the_survey_names_nine_networks_eight_methods_and_the_paper_s_protocol():
    content = read_toml(SURVEY)
    assert len(content["networks"]) >= 9
    assert len(content["methods"]) >= 8
    assert "samek2017" in content["protocols"]


def test_a_network_that_is_missing_is_named(result, tmp_path):
    (tmp_path / "survey.toml").write_text(BROKEN)
    assert list(at_hand(SIZES["small"], result, tmp_path / "survey.toml")) == []
    assert "gone on photos: " in result.text[0]
    assert "nowhere.safetensors" in result.text[0]


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """One small network with four made pictures stands for all that are at hand."""
    files = []
    for number in range(4):
        files.append(tmp_path / f"{number}.png")
        pixels = np.random.default_rng(number).integers(0, 256, (36, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(files[-1])
    network = cnn()
    one = AtHand("tiny on noise", "tiny-noise", network, read_pictures(files, network.preprocessing))
    for part in (complexity, replacements):
        monkeypatch.setattr(part, "at_hand", lambda size, result: iter([one]))
    return one


def test_table_one_has_a_row_for_each_method_and_counts_orders_like_the_paper_s(tiny):
    (found,) = complexity.run(SMALL)
    study = hp.complexity(tiny.network, tiny.pictures.images, complexity.METHODS)
    means = [study.estimates["PNG"][name].mean for name in complexity.METHODS]
    assert f"PNG {int(means == sorted(means))} of 1" in found.text[0]
    assert found.text[-1].count("| tiny on noise |") == 3
    assert found.figures


def test_figure_8_counts_what_is_significant(tiny, monkeypatch):
    monkeypatch.setattr(replacements, "SCORED", 3)
    (found,) = replacements.run(SMALL)
    assert any("uniform significantly above blur: " in text and " of 1; below: " in text for text in found.text)
    assert "| tiny on noise |" in found.text[-1]


def test_the_paper_s_findings_are_counted():
    clear = {"lrp-alphabeta": 2.0, "lrp-epsilon[epsilon=0.01]": 1.0, "deconvolution-l2": -1.0, "sensitivity-l2": 0.0}
    study = surveyed(*(finding(name, "a", "samek2017", clear) for name in ("one", "two", "three")))
    rows = {row[0]: row[1:] for row in perturbation.claims_table(study, "samek2017").rows}
    assert len(rows) == len(perturbation.CLAIMS)
    assert rows["lrp-alphabeta > random order"][:5] == (3, 3, 0, 3, 3)
    assert rows["deconvolution-l2 > random order"][:5] == (3, 0, 3, 3, 0)
    assert rows["lrp-epsilon[epsilon=0.01] > lrp-alphabeta"][:5] == (3, 0, 3, 3, 0)
    *_, d, low, high = rows["lrp-alphabeta > deconvolution-l2"]
    assert low < d < high


def test_missing_training_pictures_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(assessment, "PICTURES", tmp_path)
    (found,) = assessment.run(SMALL)
    assert "train-jpeg.parquet" in found.text[0]


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
