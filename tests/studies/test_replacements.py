"""Comparing replacements: what is computed, what it says, and what it refuses."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.defaults import DEFAULT_REPLACEMENTS
from heatproof.heatmaps import explain
from heatproof.perturbation import Statistics

SPECS = ["uniform", "constant", "blur[sigma=2]", "road"]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4),
        )  # fmt: skip
    return hp.Network(module)


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 3, 27, 36, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def study(network, images):
    return hp.compare_replacements(network, images, SPECS, steps=8, repeats=2)


def test_every_number_is_that_of_perturb(network, images, study):
    """The same curves as one call of perturb for each replacement and order, and ABPC from them by hand."""
    heatmaps = explain(network, images, "lrp-alphabeta")
    statistics = Statistics.of(images)
    for spec in SPECS:
        morf, lerf = (
            hp.perturb(
                network, images, heatmaps, order=order, replacement=spec, steps=8, repeats=2, statistics=statistics
            )
            for order in ("morf", "lerf")
        )
        found = study.both[spec]
        assert torch.equal(found.morf.orders, morf.orders)
        assert torch.equal(found.lerf.orders, lerf.orders)
        torch.testing.assert_close(found.morf.scores, morf.scores, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.lerf.scores, lerf.scores, rtol=1e-5, atol=1e-6)
        expected = (lerf.scores - morf.scores).double().mean(dim=(1, 2))
        np.testing.assert_allclose(study.areas[spec], expected, rtol=1e-4, atol=1e-6)
        assert study.abpc[spec].mean == pytest.approx(float(expected.mean()), rel=1e-4, abs=1e-6)


def test_lerf_walks_the_ranking_of_morf_from_its_end(network, images):
    found = hp.compare_replacements(network, images, ["black"], regions=9).both["black"]
    assert torch.equal(found.morf.orders, found.lerf.orders.flip(2))
    torch.testing.assert_close(found.morf.scores[..., -1], found.lerf.scores[..., -1], rtol=1e-5, atol=1e-6)


def test_a_good_heatmap_has_a_larger_area_than_its_opposite(linear_case):
    network, images, contributions = linear_case
    good = hp.compare_replacements(network, images, ["black", "grey"], method=contributions, regions=3)
    bad = hp.compare_replacements(network, images, ["black", "grey"], method=-contributions, regions=3)
    for spec in ("black", "grey"):
        np.testing.assert_allclose(good.areas[spec], -bad.areas[spec], rtol=1e-4, atol=1e-4)
    assert good.abpc["black"].low > 0 > bad.abpc["black"].high
    assert "MoRF falls significantly less than LeRF with" in " ".join(bad.verdict)


@pytest.fixture
def linear_case():
    """f(x) = ⟨w, x⟩, images, and what each pixel contributes."""
    weight = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    layer = nn.Linear(243, 1, bias=False)
    layer.weight = nn.Parameter(weight.flatten()[None])
    images = torch.rand(8, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    return hp.Network(nn.Sequential(nn.Flatten(), layer)), images, (weight * images).sum(dim=1)


def test_table_is_ordered_by_area_and_its_parts_add_up(study):
    table = study.table()
    assert table.columns == ("replacement", "ABPC", "low", "high", "AOPC MoRF", "AOPC LeRF")
    means = [row[1] for row in table.rows]
    assert means == sorted(means, reverse=True)
    for _, mean, low, high, morf, lerf in table.rows:
        assert low <= mean <= high
        assert mean == pytest.approx(morf - lerf, abs=1e-6)
    assert "higher is better" in table.notes[0]


def test_differences_are_paired(study):
    for (larger, smaller), value in study.differences.items():
        expected = study.areas[larger] - study.areas[smaller]
        assert value.estimate.mean == pytest.approx(float(expected.mean()))
        assert value.estimate.mean >= 0
    assert len(study.differences_table().rows) == 6


def test_results_depend_neither_on_batches_nor_on_the_order_of_images(network, images, study):
    small = hp.compare_replacements(network, images, SPECS, steps=8, repeats=2, memory=2**20)
    turned = hp.compare_replacements(network, images.flip(0), SPECS, steps=8, repeats=2)
    for spec in SPECS:
        np.testing.assert_allclose(small.areas[spec], study.areas[spec], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(turned.areas[spec][::-1], study.areas[spec], rtol=1e-4, atol=1e-6)


def test_says_where_statistics_come_from(network, images, study):
    assert any("constant come from the images of this run (6 images)" in text for text in study.warnings)
    statistics = Statistics.of(torch.rand(9, 3, 27, 36), source="nine others")
    other = hp.compare_replacements(network, images, ["dirichlet", "constant"], steps=2, statistics=statistics)
    assert any("dirichlet, constant come from nine others (9 images)" in text for text in other.warnings)
    assert other.describe()["replacements"]["constant"]["statistics"]["count"] == 9


def test_a_run_holds_everything(study, tmp_path):
    folder = study.save(tmp_path / "RUN", reproduce="the command")
    figures = {f"{name}.{kind}" for name in ("areas", "examples") for kind in ("png", "svg")}
    files = {
        "run.json",
        "written.jsonl",
        "scores.parquet",
        "cells",
        "table.md",
        "table.csv",
        "report.html",
        "reproduce.md",
    }
    assert {path.name for path in folder.iterdir()} == files | figures
    scores = pl.read_parquet(folder / "scores.parquet")
    assert scores.height == 4 * 2 * 6 * 2 * 9  # replacements, orders, images, repeats, steps
    assert scores.columns[0] == "replacement"
    assert set(scores["order"]) == {"morf", "lerf"}
    means = scores.group_by("replacement", "order").agg(pl.col("score").mean())
    by_hand = {(row["replacement"], row["order"]): row["score"] for row in means.iter_rows(named=True)}
    for spec in SPECS:
        assert by_hand[spec, "lerf"] - by_hand[spec, "morf"] == pytest.approx(study.abpc[spec].mean, rel=1e-3, abs=1e-5)
    record = json.loads((folder / "run.json").read_text())
    assert record["study"] == "replacements"
    assert record["replacements"]["road"]["engine"] == "the whole network at each step"
    assert record["work"]["evaluations"] == 6 * 4 * (1 + 2 * 2 * 8)
    assert "the command" in (folder / "reproduce.md").read_text()


def test_prints_itself(study):
    assert "replacement" in str(study)
    assert "The area between the curves is largest with" in str(study)
    assert "<table>" in study._repr_html_()


def test_progress_ends_at_the_number_of_evaluations(network, images):
    seen = []
    hp.compare_replacements(
        network, images, ["uniform", "road"], steps=3, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (6 * 2 * (1 + 2 * 3),) * 2


def test_the_paper_s_four_by_default(network, images):
    study = hp.compare_replacements(network, images[:2], steps=2)
    assert set(study.abpc) == set(DEFAULT_REPLACEMENTS) == {"uniform", "dirichlet", "constant", "blur"}
    assert study.method == "lrp-alphabeta"


def test_one_image_says_nothing_about_others(network, images):
    study = hp.compare_replacements(network, images[:1], ["uniform", "blur"], steps=2)
    assert "one image says nothing about others" in study.verdict[0]
    study.figures()


def test_the_verdict_says_where_nothing_relevant_costs_nothing(network, images):
    study = hp.compare_replacements(network, images, ["uniform", "mean-colour", "blur"], regions=5)
    falls = {row[0]: row[-1] for row in study.table().rows}
    least, most = (choose(falls, key=lambda spec: abs(falls[spec])) for choose in (min, max))
    (said,) = [sentence for sentence in study.verdict if "AOPC LeRF" in sentence]
    assert said.endswith(f"with {least} ({falls[least]:.3g}), and farthest with {most} ({falls[most]:.3g}).")


def test_superpixels_and_own_methods(network, images):
    def nothing(network, images, targets):
        return torch.zeros(len(images), *images.shape[2:])

    study = hp.compare_replacements(network, images, ["uniform"], method=nothing, regions="slic[segments=12]")
    assert study.method == "nothing"
    assert study.describe()["protocol"]["regions"] == "slic[segments=12]"
    study.figures()


@pytest.mark.parametrize(
    ("replacements", "options", "message"),
    [
        ([], {}, "must name at least one, and none twice, got none"),
        (["blur", "blur"], {}, "none twice, got blur, blur"),
        (["blurr"], {}, "did you mean 'blur'"),
        (["uniform", "road"], {"engine": "incremental"}, "cannot follow replacement 'road'"),
        (["blur[sigma=-1]"], {}, "sigma must be a number from 0.01 to 1000, got -1"),
        (["constant"], {"statistics": "nothing.safetensors"}, "there is no file 'nothing.safetensors'"),
    ],
)
def test_what_it_refuses(network, images, replacements, options, message):
    with pytest.raises(hp.InputError, match=message):
        hp.compare_replacements(network, images, replacements, steps=2, **options)


def test_a_text_is_no_list(network, images):
    with pytest.raises(TypeError, match="must be a list of names, got the text 'uniform'"):
        hp.compare_replacements(network, images, "uniform")
