"""Comparing: all methods meet the same replacement images, and nothing depends on how the work is cut."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.measures import Estimate
from heatproof.perturbation import perturb
from heatproof.results.part import REFERENCE


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(4),
        )
        module(torch.zeros(1, 3, 21, 30))
    return hp.Network(module.double())


@pytest.fixture(scope="module")
def images():
    return torch.rand(5, 3, 21, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


METHODS = ["lrp-epsilon", "sensitivity-l2", "random"]


def test_curves_are_those_of_perturb(network, images):
    study = hp.compare(network, images, METHODS, regions=5, repeats=2, seed=3, protocol="samek2017")
    for method in METHODS:
        alone = perturb(network, images, hp.explain(network, images, method), regions=5, repeats=2, seed=3)
        torch.testing.assert_close(study.morf[method].scores, alone.scores)
    reference = perturb(network, images, order="random", regions=5, repeats=2, seed=3)
    torch.testing.assert_close(study.morf[REFERENCE].scores, reference.scores)


def test_a_subset_of_methods_or_images_changes_nothing(network, images):
    whole = hp.compare(network, images, METHODS, regions=5, seed=3, protocol="samek2017")
    part = hp.compare(network, images.flip(0)[:3], METHODS[:1], regions=5, seed=3, protocol="samek2017")
    for method in (METHODS[0], REFERENCE):
        torch.testing.assert_close(part.morf[method].scores, whole.morf[method].scores.flip(0)[:3])


def test_batches_change_nothing(network, images, monkeypatch):
    whole = hp.compare(network, images, METHODS, regions=5, protocol="samek2017")
    monkeypatch.setattr(hp.Network, "batch_size", lambda *_args, **_options: 2)
    cut = hp.compare(network, images, METHODS, regions=5, protocol="samek2017")
    assert cut.morf.keys() == whole.morf.keys()
    for method in whole.morf:
        torch.testing.assert_close(cut.morf[method].scores, whole.morf[method].scores)
    torch.testing.assert_close(cut.heatmaps["lrp-epsilon"], whole.heatmaps["lrp-epsilon"])


def test_own_methods_maps_and_region_maps_are_judged(network, images):
    regions = torch.arange(6).reshape(2, 3).repeat_interleave(10, 0).repeat_interleave(10, 1)
    regions = nn.functional.pad(regions, (0, 0, 0, 1), value=-1)
    given = {"mine": lambda _network, x, _targets: x.sum(dim=1), "maps": images.sum(dim=1), "LRP": "lrp-epsilon"}
    study = hp.compare(network, images, given, regions=regions, protocol="samek2017")
    assert torch.equal(study.morf["mine"].scores, study.morf["maps"].scores)
    assert study.morf["LRP"].scores.shape == (5, 1, 7)
    assert set(study.heatmaps) == {"mine", "maps", "LRP"}


def test_equal_methods_are_not_significantly_different(network, images):
    study = hp.compare(network, images, {"one": "lrp-epsilon", "same": "lrp-epsilon"}, regions=5, protocol="samek2017")
    (difference,) = study.ranking.differences.values()
    assert difference.estimate == Estimate(0, 0, 0)
    assert (difference.sign_flip, difference.wilcoxon, difference.significant) == (1, 1, False)


def test_result_is_frozen_counts_progress_and_shows_itself(network, images):
    seen = []
    study = hp.compare(
        network,
        images,
        METHODS,
        regions=5,
        on_progress=lambda done, total: seen.append((done, total)),
        protocol="samek2017",
    )
    assert study.work.evaluations == 5 * (1 + 4 * 24)
    assert seen[-1][0] == seen[-1][1] == study.work.evaluations + study.audit.evaluations
    with pytest.raises(dataclasses.FrozenInstanceError, match="work"):
        study.work = None
    assert "higher is better" in str(study)
    assert all(f"warning: {text}" in str(study) for text in study.warnings)
    assert "<table" in study._repr_html_()


@pytest.mark.parametrize(
    ("engine", "name", "where"),
    [("full", "full", "the whole network at each step"), ("incremental", "incremental", "of 7 nodes on windows")],
)
def test_the_work_is_told(network, images, engine, name, where):
    seen = []
    options = {"regions": 5, "steps": 4, "engine": engine, "audit": 0}
    study = hp.compare(
        network, images, METHODS, **options, on_progress=lambda done, _: seen.append(done), protocol="samek2017"
    )
    work = study.work
    assert work.evaluations == seen[-1] == 5 * (1 + 4 * 4)
    assert work.engine.name == name
    assert work.engine == study.morf["lrp-epsilon"].engine
    assert 0 < work.heatmap_seconds + work.perturbation_seconds < work.seconds
    assert work.evaluations_per_second == pytest.approx(85 / work.perturbation_seconds)
    assert str(work).startswith("85 evaluations in ")
    assert where in str(work)
    assert study.describe()["work"]["engine"]["nodes"] == 7


def test_without_a_graph_the_work_says_why(images):
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :4] * (2.0 if x.sum() > 0 else 1.0)

    study = hp.compare(
        hp.Network(Branching()), images.float(), ["sensitivity-l2"], regions=5, steps=2, protocol="samek2017"
    )
    assert (study.work.engine.name, study.work.engine.nodes) == ("full", 0)
    assert "has no graph" in study.work.engine.reason


def test_random_reference_is_no_method_name(network, images):
    with pytest.raises(hp.InputError, match="none may be called 'random order'"):
        hp.compare(network, images, {REFERENCE: "random"}, protocol="samek2017")
    with pytest.raises(TypeError, match="list of names"):
        hp.compare(network, images, "lrp-epsilon", protocol="samek2017")
    with pytest.raises(hp.InputError, match="5 different names"):
        hp.compare(network, images, METHODS, names=["a"] * 5, protocol="samek2017")


def test_absorbed_relevance_is_warned_of(images):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
        module(torch.zeros(1, 3, 21, 30))
        module[0].bias.data.fill_(5.0)
    study = hp.compare(hp.Network(module), images.float(), ["lrp-epsilon"], regions=9, protocol="samek2017")
    assert any("of the score" in warning and "0 (conv2d)" in warning for warning in study.warnings)


def test_least_relevant_first_too(network, images):
    both = hp.compare(network, images, METHODS, lerf=True, regions=5, steps="all", protocol="samek2017")
    plain = hp.compare(network, images, METHODS, regions=5, steps="all", protocol="samek2017")
    assert set(both.lerf) == set(METHODS)
    assert plain.lerf == {}
    assert both.work.evaluations == len(images) * (1 + 7 * both.morf[METHODS[0]].steps)
    for name in METHODS:
        assert (both.morf[name].order, both.lerf[name].order) == ("morf", "lerf")
        assert torch.equal(both.morf[name].scores, plain.morf[name].scores)
        assert torch.equal(both.lerf[name].orders, both.morf[name].orders.flip(2))
    assert set(both.frame()["order"]) == {"morf", "lerf", "random"}


def test_all_measures_stand_beside_each_other_and_are_stored(network, images, tmp_path):
    given = {"lerf": True, "regions": 7, "steps": "all", "measures": ["naopc", "single-region"], "audit": 0}
    study = hp.compare(network, images, METHODS, **given, protocol="samek2017")
    for name in METHODS:
        found = study.measured[name]
        assert {"aopc", "abpc", "srg", "mrg", "lrg", "naopc", "single-region", "calibration"} <= set(found)
        assert ((found["naopc"] >= 0) & (found["naopc"] <= 1)).all()
        np.testing.assert_allclose(found["srg"], found["mrg"] + found["lrg"])
        np.testing.assert_allclose(found["aopc"], hp.aopc(study.morf[name]).numpy())
    plain = hp.compare(network, images, METHODS, **given | {"measures": []}, protocol="samek2017")
    regions = study.morf[METHODS[0]].steps
    assert study.work.evaluations - plain.work.evaluations == len(images) * (2**regions - 1 + regions + 1)
    stored = pl.read_parquet(study.save(tmp_path / "run") / "measures.parquet")
    one = stored.filter((pl.col("method") == METHODS[0]) & (pl.col("measure") == "naopc"))
    np.testing.assert_array_equal(one["value"].to_numpy(), study.measured[METHODS[0]]["naopc"])
    assert "naopc ↑" in study.measures_table().columns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measures": ["naopc"], "regions": 3}, "beam"),
        ({"measures": ["napc"]}, "did you mean 'naopc'"),
        ({"measures": ["single-region"], "until": "signs"}, "need all images"),
    ],
)
def test_measures_that_cannot_be_had_are_refused_before_anything_is_computed(network, images, options, message):
    with pytest.raises(hp.InputError, match=message):
        hp.compare(network, images, METHODS, **options, protocol="samek2017")
