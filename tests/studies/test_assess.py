"""Judging checkpoints: all meet the same images and draws, and nothing depends on how the work is cut."""

import copy
import json

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import heatproof as hp
from heatproof.measures import Estimate
from heatproof.measures.quality import QUALITIES
from heatproof.measures.series import Series, partial_rank_correlation
from heatproof.perturbation import perturb
from heatproof.report.studies.merit import best_and_equals, merit
from heatproof.studies.assess import assess

METHOD = "lrp-epsilon[bias=exclude]"
SCALE_FREE = ("relative drop", "standardised", "relative drop alone", "standardised alone")


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 9 * 9, 4)
        )  # fmt: skip
    nn.init.normal_(module[4].weight, std=0.2, generator=torch.Generator().manual_seed(5))
    return hp.Network(module.double(), name="tiny")


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 3, 20, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def weights(network):
    """Four checkpoints: the last layer moves from noise to what it is."""
    state = network.module.state_dict()
    noise = torch.randn(state["4.weight"].shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return {
        f"step{number}": state | {"4.weight": (number / 3) * state["4.weight"] + (1 - number / 3) * 0.1 * noise}
        for number in range(4)
    }


def judged(network, weights, images, **options):
    return assess(network, weights, images, **({"method": METHOD, "regions": 5, "seed": 3} | options))


def values(study):
    return {name: series.values() for name, series in study.series.items()}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_quantities_are_those_of_perturb(network, weights, images):
    """Each checkpoint alone, by the public functions: explain, perturb, aopc."""
    study = judged(network, weights, images, repeats=2)
    for number, (name, state) in enumerate(weights.items()):
        module = copy.deepcopy(network.module)
        module.load_state_dict(state)
        alone = hp.Network(module)
        heatmaps = hp.explain(alone, images, METHOD)
        options = {"regions": 5, "repeats": 2, "seed": 3}
        above, morfs, start = {}, {}, {}
        for score in ("logit", "standardised_logit", "probability"):
            morf = perturb(alone, images, heatmaps, score=score, **options)
            random = perturb(alone, images, order="random", score=score, **options)
            above[score] = float((hp.aopc(morf) - hp.aopc(random)).double().mean())
            start[score] = float(morf.scores[:, 0, 0].double().mean())
            morfs[score] = float(hp.aopc(morf).double().mean())
        expected = {
            "AOPC": morfs["logit"],
            "above random": above["logit"],
            "relative drop": above["logit"] / start["logit"],
            "standardised": above["standardised_logit"],
            "probability": above["probability"],
            "relative drop alone": morfs["logit"] / start["logit"],
            "standardised alone": morfs["standardised_logit"],
            "probability alone": morfs["probability"],
            "mean logit": start["logit"],
            "mean confidence": start["probability"],
        }
        found = {quantity: series.values()[number] for quantity, series in study.series.items()}
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), name


def test_larger_logits_raise_raw_aopc_alone(network, weights, images):
    state = weights["step3"]
    larger = state | {name: 3 * state[name] for name in ("4.weight", "4.bias")}
    found = values(judged(network, {"once": state, "thrice": larger}, images))
    for name in ("AOPC", "above random", "mean logit"):
        assert found[name][1] == pytest.approx(3 * found[name][0], rel=1e-5)
    for name in SCALE_FREE:
        assert abs(found[name][0]) > 1e-3
        assert found[name][1] == pytest.approx(found[name][0], rel=1e-4)


def test_batches_change_nothing(network, weights, images, monkeypatch):
    whole = values(judged(network, weights, images))
    monkeypatch.setattr(hp.Network, "batch_size", lambda *_args, **_options: 2)
    same(values(judged(network, weights, images)), whole)


@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_engines_and_the_order_of_images_change_nothing(network, weights, images, engine):
    whole = values(judged(network, weights, images))
    same(values(judged(network, weights, images.flip(0), engine=engine)), whole)


def test_checkpoints_do_not_know_of_each_other(network, weights, images):
    whole = values(judged(network, weights, images))
    backwards = values(judged(network, dict(reversed(weights.items())), images))
    same({name: found[::-1] for name, found in backwards.items()}, whole)
    alone = values(judged(network, {"step2": weights["step2"]}, images))
    same(alone, {name: found[2:3] for name, found in whole.items()})


def test_the_network_is_left_as_it_is(network, weights, images):
    before = network.fingerprint()
    judged(network, weights, images)
    assert network.fingerprint() == before


def test_accuracy_is_counted_on_the_same_images(network, weights, images):
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    study = judged(network, weights, images, labels=labels)
    for number, state in enumerate(weights.values()):
        module = copy.deepcopy(network.module)
        module.load_state_dict(state)
        right = (hp.Network(module).predict(images) == labels).double().mean()
        assert study.series["accuracy"].values()[number] == pytest.approx(float(right))
    assert list(study.rank_correlations) == [name for name in study.series if name != "accuracy"]
    assert study.table().columns[:2] == ("checkpoint", "accuracy")


def more(network, count):
    """Checkpoints whose last layer moves from noise to something else."""
    state, generator = network.module.state_dict(), torch.Generator().manual_seed(7)
    noise = [torch.randn(state["4.weight"].shape, generator=generator, dtype=torch.float64) for _ in range(count)]
    return {f"step{number}": state | {"4.weight": 0.1 * one} for number, one in enumerate(noise)}


def test_what_heatmaps_add_to_the_confidence_is_partial_rank_correlation(network, images):
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    study = judged(network, more(network, 5), images, labels=labels)
    assert list(study.partial_correlations) == [
        name for name in study.series if name not in ("accuracy", "mean confidence")
    ]
    parts = [study.series[name] for name in ("probability", "accuracy", "mean confidence")]
    assert study.partial_correlations["probability"] == partial_rank_correlation(*parts)
    table = study.correlations()
    assert table.columns[4:] == ("given the confidence", "low (given)", "high (given)")
    cells = {row[0]: row[4] for row in table.rows}
    assert cells["mean confidence"] is None
    np.testing.assert_equal(cells["probability"], study.partial_correlations["probability"].mean)
    assert any(sentence.startswith("Given the mean confidence") for sentence in study.verdict)


def test_few_checkpoints_say_nothing_beyond_the_confidence(network, images):
    study = judged(network, more(network, 4), images, labels=torch.tensor([0, 1, 2, 3, 0, 1]))
    assert study.rank_correlations
    assert study.partial_correlations == {}
    table = study.correlations()
    assert {row[4] for row in table.rows} == {None}
    assert "too few checkpoints for a partial rank correlation, which takes 5" in table.notes[0]
    assert not any(sentence.startswith("Given the mean confidence") for sentence in study.verdict)


@pytest.fixture
def corner():
    """A network that sees four pixels at the top left only, and images that are bright there."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 2, bias=False)).double()
    images = torch.rand(9, 1, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.zeros(2, 32, 32, dtype=torch.float64)
    weight[0, 5, 5:9] = 1.0  # in two regions of 4 × 4 pixels
    middle = torch.zeros_like(weight)
    middle[0, 15, 15:17] = 1.0
    checkpoints = {"corner": {"1.weight": weight.flatten(1)}, "middle": {"1.weight": middle.flatten(1)}}
    return hp.Network(module, name="corner"), checkpoints, images


def test_one_place_in_image_after_image_is_worth_a_warning(corner):
    network, checkpoints, images = corner
    study = assess(network, checkpoints, images, method="gradient-x-input", regions=4, steps=3)
    assert {name: place.recurs for name, place in study.places.items()} == {"corner": True, "middle": False}
    assert study.warnings == [
        "corner: in 100% of the images, of 1 predicted class, the most relevant region lies at the same place, at the "
        "top left: a shortcut may lie there; look at the pictures"
    ]


def test_warnings_count_checkpoints_with_one_place(corner):
    network, checkpoints, images = corner
    twice = {"first": checkpoints["corner"], "second": checkpoints["corner"]}
    study = assess(network, twice, images, method="gradient-x-input", regions=4, steps=3)
    assert study.warnings[0].startswith("first: in 100%")
    assert study.warnings[0].endswith("; a place recurs at 1 other checkpoint, too")


def test_regions_that_are_no_fine_grid_have_no_places(network, weights, images):
    assert judged(network, weights, images).places == {}  # 4 × 4 regions
    halves = torch.zeros(20, 20, dtype=torch.long)
    halves[:, 10:] = 1
    assert judged(network, weights, images, regions=halves).places == {}


def test_without_labels_nothing_is_said_about_accuracy(network, weights, images):
    study = judged(network, weights, images)
    assert study.rank_correlations == {}
    assert "accuracy" not in study.series
    assert not any("accuracy" in sentence for sentence in study.verdict)


def test_files_are_named_by_what_tells_them_apart(network, weights, images, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save_file(weights["step1"], tmp_path / folder / "last.safetensors")
    study = judged(network, [tmp_path / "one" / "last.safetensors", tmp_path / "two" / "last.safetensors"], images)
    assert list(study.checkpoints) == ["one/last", "two/last"]
    found = values(study)["standardised"]
    assert found[0] == found[1]
    study = judged(network, [tmp_path / "one" / "last.safetensors"], images)
    assert list(study.checkpoints) == ["last"]
    assert len(study.verdict) == 3


def test_a_run_directory_holds_everything(network, weights, images, tmp_path):
    study = judged(network, weights, images, labels=torch.tensor([0, 1, 2, 3, 0, 1]), repeats=2)
    folder = study.save(tmp_path / "RUN", reproduce="as before")
    expected = {
        "run.json",
        "written.jsonl",
        "scores.parquet",
        "cells",
        "table.md",
        "table.csv",
        "report.html",
        "reproduce.md",
    }
    figures = {f"{name}.{kind}" for name in ("training", "gallery") for kind in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == expected | figures
    run = json.loads((folder / "run.json").read_text())
    assert run["study"] == "assess"
    assert [entry["mean"] for entry in run["estimates"]["AOPC"]] == pytest.approx(values(study)["AOPC"])
    assert len({entry["weights_blake2b"] for entry in run["checkpoints"].values()}) == 4
    frame = pl.read_parquet(folder / "scores.parquet")
    assert frame.height == 4 * 3 * 2 * 6 * 2 * 17  # checkpoints, scores, orders, images, repeats, steps
    one = frame.filter(
        (pl.col("checkpoint") == "step2") & (pl.col("of") == "probability") & (pl.col("step") == 0)
    )  # fmt: skip
    assert one["score"].mean() == pytest.approx(values(study)["mean confidence"][2])
    page = (folder / "report.html").read_text()
    assert "Rank correlation with the accuracy" in page
    assert all(sentence.split(":")[0] in page for sentence in study.verdict)


def test_removing_most_of_the_image_is_worth_a_warning(network, weights, images):
    found = [text for text in judged(network, weights, images).warnings if "100% of the image is removed" in text]
    assert [text.endswith("the paper removes 16%, here steps=3") for text in found] == [True]
    assert not any("image is removed" in text for text in judged(network, weights, images, steps=3).warnings)


def test_few_regions_are_worth_a_warning(network, weights, images):
    assert any("only 16 regions" in text for text in judged(network, weights, images).warnings)
    assert not any("there are only" in text for text in judged(network, weights, images, regions=4).warnings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoints": {}}, "at least one checkpoint"),
        ({"labels": torch.tensor([0, 1])}, r"one class index per image, shape \(6,\)"),
        ({"labels": torch.tensor([0, 1, 2, 3, 4, 0])}, r"labels must be classes of the network, 0 … 3, got 0 … 4"),
        ({"checkpoints": {"other": {"4.weight": torch.ones(2, 2)}}}, "weights of other do not fit Sequential"),
        ({"checkpoints": ["absent.safetensors"]}, "there is no file"),
        ({"checkpoints": ["same.pt", "same.pt"]}, "one of them twice"),
        ({"method": "lrp-epsilno"}, "did you mean 'lrp-epsilon'"),
        ({"steps": 17}, "steps must be between 1 and the number of regions, 16, got 17"),
    ],
)
def test_what_cannot_be_used_is_refused(network, weights, images, options, message):
    checkpoints = options.pop("checkpoints", weights)
    with pytest.raises(hp.InputError, match=message):
        judged(network, checkpoints, images, **options)


def test_a_checkpoint_that_diverged_is_named(network, weights, images):
    broken = weights["step1"] | {"4.bias": torch.full((4,), torch.nan, dtype=torch.float64)}
    with pytest.raises(hp.InputError, match="checkpoint late: "):
        judged(network, weights | {"late": broken}, images)


# --- the verdict


def constant(*levels):
    """Networks whose quantity is the same on all of 40 images."""
    return Series(np.repeat(np.array(levels)[:, None], 40, axis=1))


def said(series, correlations=None, given=None):
    names = [f"step{number}" for number in range(len(series["standardised"].numerator))]
    return merit(names, series, correlations or {}, 40, given_confidence=given)


def test_networks_that_differ_on_every_image_are_significantly_different():
    assert best_and_equals(constant(1.0, 3.0, 2.0)) == (1, [])
    noise = np.random.default_rng(0).normal(size=40)
    wobble = np.resize([1.0, -0.9], 40)  # 0.05 above zero on average, and far less than its error
    assert best_and_equals(Series(np.stack([noise, noise + 0.01, noise - wobble]))) == (1, [2])
    assert best_and_equals(Series(np.stack([noise, noise + wobble]))) == (1, [0])


def test_the_verdict_says_when_logits_grow():
    series = {"standardised": constant(1.0, 3.0, 2.0), "above random": constant(1.0, 2.0, 3.0)}
    grown = said(series | {"mean logit": constant(1.0, 2.0, 4.0)})
    assert grown[0].startswith("step1 has the best heatmaps")
    assert grown[0].endswith("significantly more than for all others.")
    assert grown[1] == "Raw AOPC above the random order ranks step2 first (rank correlation 0.50)."
    assert grown[2].startswith("The mean logit of untouched images lies between 1 and 4: raw AOPC grows")
    steady = said(series | {"mean logit": constant(3.0, 3.1, 3.2)})
    assert not any("grows" in sentence for sentence in steady)


def test_the_verdict_says_whether_other_quantities_agree():
    series = {name: constant(1.0, 3.0, 2.0) for name in ("standardised", "relative drop", "probability")}
    series |= {"above random": constant(1.0, 2.0, 3.0), "mean logit": constant(3.0, 3.0, 3.0)}
    agreed = said(series | {"mean confidence": constant(0.4, 0.5, 0.6)})
    assert agreed[0].startswith("step1 has the best heatmaps: the standardised logit falls by 3")
    assert agreed[1].startswith("No other checkpoint is significantly better by the relative drop and probability")
    assert any("most confident of untouched images at step2 (0.6 [0.6, 0.6])." in sentence for sentence in agreed)
    torn = said(series | {"probability": constant(1.0, 2.0, 3.0)})
    assert torn[0].startswith(
        "Which checkpoint has the best heatmaps depends on the measure. For step1 the standardised"
    )
    assert torn[1].startswith("But the probability ranks step2 significantly above step1")


def test_the_verdict_compares_with_what_needs_no_heatmap():
    series = {name: constant(1.0, 2.0, 3.0) for name in ("standardised", "above random", "mean logit")}
    names = (*QUALITIES, "mean logit", "mean confidence")
    equal = {name: Estimate(0.5, 0.1, 0.9) for name in names}
    *_, first, second, _ = said(series, equal)
    assert first.startswith("Rank correlation with the accuracy: AOPC 0.5 [0.1, 0.9], above random 0.5")
    assert second.startswith("For comparison, without heatmaps: mean logit 0.5 [0.1, 0.9], mean confidence")
    assert second.endswith("; no quantity that comes from heatmaps follows the accuracy more closely.")
    *_, second, _ = said(series, equal | {"relative drop": Estimate(0.6, 0.1, 0.9)})
    assert second.endswith("; relative drop follows the accuracy more closely.")


def test_the_verdict_says_what_heatmaps_add_to_the_confidence():
    series = {name: constant(1.0, 2.0, 3.0) for name in ("standardised", "above random", "mean logit")}
    equal = {name: Estimate(0.5, 0.1, 0.9) for name in (*QUALITIES, "mean logit", "mean confidence")}
    nothing = {name: Estimate(0.2, -0.1, 0.5) for name in (*QUALITIES, "mean logit")}
    start = "Given the mean confidence (partial rank correlation): AOPC 0.2 [-0.1, 0.5], above random "
    *_, sentence, _ = said(series, equal, nothing)
    assert sentence.startswith(start)
    assert sentence.endswith(
        "; no quantity that comes from heatmaps says significantly more of the accuracy than that."
    )
    *_, sentence, _ = said(series, equal, nothing | {"probability": Estimate(0.6, 0.1, 0.9)})
    assert sentence.endswith("; probability says more of the accuracy than the confidence does.")
    *_, sentence, _ = said(series, equal, {name: Estimate(np.nan, np.nan, np.nan) for name in nothing})
    assert "there is no partial rank correlation" in sentence
