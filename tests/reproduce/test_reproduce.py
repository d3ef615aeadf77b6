"""The paper's figures and tables: what is missing is named, and what is made is written beside what the paper found."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from reproduce.cells import SIZES, SURVEY, AtHand, Size, at_hand
from reproduce.results import Result
from tests.cli.tiny_networks import cnn
from tests.results.test_survey import finding, surveyed

import heatproof as hp
from heatproof.data import read_pictures
from heatproof.measures.quality import QUALITIES
from heatproof.measures.series import Series
from heatproof.report import Table
from heatproof.runs.study_file import read_toml
from reproduce import assessment, cells, complexity, failing, failures, perturbation, replacements

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
    monkeypatch.setattr(assessment, "CIFAR10", cells.Tables(tmp_path / "train-jpeg.parquet", tmp_path / "test.parquet"))
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


# --- networks that fail


def test_missing_pictures_are_named_by_failures_too(monkeypatch, tmp_path):
    monkeypatch.setattr(failures, "CIFAR10", cells.Tables(tmp_path / "train-jpeg.parquet", tmp_path / "test.parquet"))
    (found,) = failures.run(SMALL)
    assert "train-jpeg.parquet" in found.text[0]


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (20, 3, 32, 32), generator=generator, dtype=torch.uint8), torch.arange(20) % 10


def test_squares_are_those_of_the_class_or_of_the_next(pictures):
    pixels, labels = pictures
    own, another = failing.marked(pixels, labels), failing.swapped(pixels, labels)
    for found, classes in ((own, labels), (another, (labels + 1) % 10)):
        assert torch.equal(found[:, :, 1, 1], failing.COLOURS[classes])
        changed = (found != pixels).any(dim=1)
        assert int(changed.sum(dim=(1, 2)).max()) <= 16
        assert not changed[:, 5:].any()
        assert not changed[:, :, 5:].any()
    assert len(failing.COLOURS.unique(dim=0)) == 10


@pytest.mark.parametrize("shift", failing.SHIFTS.values(), ids=failing.SHIFTS)
def test_shifts_keep_the_shape_and_are_the_same_each_time(shift, pictures):
    found = shift(*pictures)
    assert (found.shape, found.dtype) == (pictures[0].shape, torch.uint8)
    assert torch.equal(found, shift(*pictures))
    assert not torch.equal(found, pictures[0])


def test_moved_pictures_are_the_same_elsewhere(pictures):
    pixels, labels = pictures
    assert torch.equal(failing.moved(pixels, labels)[:, :, 6:, 6:], pixels[:, :, :26, :26])


@pytest.mark.parametrize("kind", failing.KINDS)
def test_networks_are_trained_and_read_back(kind, pictures, tmp_path, monkeypatch):
    pytest.importorskip("torchvision")
    monkeypatch.setattr(failing, "STEPS", 10)
    monkeypatch.setattr(failing, "BATCH", 8)
    monkeypatch.setattr(failing, "FIRST", 2)
    failing.train(failing.KINDS[kind], *pictures, pictures, seed=0, folder=tmp_path / "one")
    failing.train(failing.KINDS[kind], *pictures, pictures, seed=0, folder=tmp_path / "two")
    one, two = (sorted((tmp_path / name).glob("*.safetensors")) for name in ("one", "two"))
    assert [file.name for file in one] == [f"step{step:05d}.safetensors" for step in (2, 3, 4, 5, 6, 8, 10)]
    assert one[-1].read_bytes() == two[-1].read_bytes()


def found_of(accuracy, confidence, quality, images=failures.IMAGES):
    """Checkpoints whose quantities are the same on all images."""
    values = {"accuracy": accuracy, "mean confidence": confidence} | dict.fromkeys((*QUALITIES, "mean logit"), quality)
    series = {name: Series(np.repeat(np.array(row)[:, None], images, axis=1)) for name, row in values.items()}
    count = len(accuracy)
    return failures.Found(series, np.full(count, 0.9), np.full(count, True), np.full(count, "at the top left"))


def test_tables_of_failures_say_what_heatmaps_add():
    """The confidence ranks 1 2 3 4 5 as 2 1 3 5 4, ρ = 0.8; the quality as the accuracy does."""
    accuracy, confidence = [0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.1, 0.3, 0.5, 0.4]
    found = {("clean", "as they are"): [found_of(accuracy, confidence, accuracy)] * 3}
    (row,) = failures.correlations(found).rows
    columns = failures.correlations(found).columns
    assert row[columns.index("accuracy")] == "10% – 50%"
    assert row[columns.index("mean confidence")] == "0.80 [0.80, 0.80] (0.80, 0.80, 0.80)"
    assert row[columns.index("standardised")] == "1.00 [1.00, 1.00] (1.00, 1.00, 1.00)"
    given = failures.correlations(found, "mean confidence")
    assert given.rows[0][given.columns.index("standardised")].startswith("1.00")
    assert failures.places(found).rows == (
        ("clean", "as they are", "15 of 15", "3 of 3", ", ".join(["90% at the top left"] * 3)),
    )


def test_the_network_that_a_quantity_ranks_first_costs_accuracy():
    """The confidence takes the overfitted network, the heatmaps the clean one."""
    kinds = dict(zip(failing.KINDS, [(0.7, 0.5, 3.0), (0.4, 0.9, 2.0), (0.3, 0.4, 1.0), (0.2, 0.3, 0.0)], strict=True))
    found = {
        (kind, condition): [found_of([0.1, accuracy], [0.1, confidence], [0.1, quality])] * 3
        for kind, (accuracy, confidence, quality) in kinds.items()
        for condition in failures.CONDITIONS
        if kind in failures.kinds_under(condition)
    }
    rows = {row[1]: row[2:] for row in failures.choices(found).rows if row[0] == "as they are"}
    assert rows["accuracy"] == ("clean, clean, clean", "0.0%")
    assert rows["mean confidence"] == ("overfitted, overfitted, overfitted", "30.0%")
    assert rows["standardised"] == ("clean, clean, clean", "0.0%")
    pooled = failures.pools(found)
    assert {key: len(runs[0].share) for key, runs in pooled.items()} == {
        ("clean and overfitted and mislabelled and shortcut", "as they are"): 8,
        ("clean and shortcut", "its own square"): 4,
        ("clean and shortcut", "another square"): 4,
        ("clean", "as they are and all shifts"): 12,
        ("clean, last checkpoint", "as they are and all shifts"): 6,
    }
