"""Studies whose targets are asked against another class: in memory, in a run, read back, resumed, on pages."""

from functools import partial

import polars as pl
import pytest
import torch
from tests.studied import PREPROCESSING, draw_eleven, small_network

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.options.studies import CompareOptions
from heatproof.perturbation import Protocol
from heatproof.runs.store import LocalStore
from heatproof.studies.compare import wanted_comparison
from heatproof.studies.road import driver
from heatproof.studies.road.reading import read_study
from heatproof.studies.road.running import run_comparison
from heatproof.studies.wanted import Wanted

METHODS = ("lrp-epsilon", "gradient-x-input", "random")
VALUES = {"regions": 9, "repeats": 2, "engine": "full"}
OPTIONS = {"lerf": True, "audit": 4, "measures": ("single-region",), "show": 2}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_eleven(tmp_path_factory.mktemp("photos"), "99 broken.png")


def loaded(folder):
    return small_network(), as_dataset(folder)


def run(folder, path, against, settings=None):
    wanted = Wanted(methods={m: m for m in METHODS}, protocol=Protocol(against=against, **VALUES), **OPTIONS)
    return run_comparison(wanted, partial(loaded, folder), LocalStore(path), settings or {})


def images_of(folder):
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    return hp.load_images(paths, PREPROCESSING), [str(path) for path in paths]


def test_a_run_gives_what_memory_gives_and_is_read_back(folder, tmp_path):
    images, names = images_of(folder)
    here = hp.compare(
        small_network(), images, METHODS, names=names, against="second", **VALUES, **OPTIONS, protocol="samek2017"
    )
    kept = run(folder, tmp_path / "run", "second")
    stored = read_study(LocalStore(tmp_path / "run"))
    second = small_network().logits(images).topk(2, dim=1).indices[:, 1]
    for study in (here, kept, stored):
        assert study.protocol.against == "second"
        for name, curves in study.morf.items():
            assert torch.equal(curves.scores, here.morf[name].scores), name
            assert torch.equal(curves.against, second)
        assert study.audit.frame().equals(here.audit.frame())
        assert study.verdict == here.verdict
        assert study.classes[0] == f"class {int(here.morf['random'].targets[0])} against class {int(second[0])}"
        assert study.measured.keys() == here.measured.keys()
        assert "in units of the logit difference" in str(study.table())
    assert {"logit", "probability"} == {score for score, _ in here.audit.evaluated[0].curves}
    assert all(curves.against is None for curves in stored.audit.removal.values())
    table = pl.read_parquet(tmp_path / "run" / "shards" / "00000.parquet")
    assert table["against"].to_list()[:2] == [int(second[0])] * 2
    assert "targets against the second highest class of each image" in (tmp_path / "run" / "report.html").read_text()
    here.save(tmp_path / "saved")
    assert read_study(LocalStore(tmp_path / "saved")).frame().equals(here.frame())
    assert "against" in here.frame().columns


def test_a_difference_is_that_of_two_comparisons(folder):
    images, _ = images_of(folder)
    network, order = small_network(), {"mine": torch.rand(11, 18, 18)}
    found = (
        hp.compare(network, images, order, targets=1, against=2, audit=0, **VALUES, protocol="samek2017")
        .morf["mine"]
        .scores
    )
    one, other = (
        hp.compare(network, images, order, targets=t, audit=0, **VALUES, protocol="samek2017").morf["mine"].scores
        for t in (1, 2)
    )
    torch.testing.assert_close(found, one - other, atol=1e-5, rtol=1e-5)


def test_a_run_skips_pictures_of_the_class_itself(folder, tmp_path):
    images, names = images_of(folder)
    predicted = small_network().predict(images)
    own = int(predicted[0])  # the first picture's, which is also tried before anything is written
    kept = run(folder, tmp_path / "run", own)
    same = [name for name, target in zip(names, predicted.tolist(), strict=True) if target == own]
    assert [name for name, _ in kept.skipped if "broken" not in name] == same
    assert dict(kept.skipped)[same[0]] == f"its target is class {own}, which it is asked against"
    assert list(kept.names) == [name for name in names if name not in same]
    assert all(bool((curves.against == own).all()) for curves in kept.morf.values())
    assert read_study(LocalStore(tmp_path / "run")).frame().equals(kept.frame())
    with pytest.raises(hp.InputError, match=rf"image number 0 has class {own} as its target"):
        hp.compare(small_network(), images, METHODS, against=own, **VALUES, protocol="samek2017")


def test_a_run_with_controls_skips_them_too(folder, tmp_path):
    """Also where their heatmaps would be lent to other pictures."""
    images, names = images_of(folder)
    predicted = small_network().predict(images)
    own = int(predicted[-1])
    options = CompareOptions(against=own, protocol="coarse-blur", audit=0)
    wanted = wanted_comparison(options, ["lrp-epsilon", "gradient-x-input"])
    kept = run_comparison(wanted, partial(loaded, folder), LocalStore(tmp_path / "run"), {})
    same = [name for name, target in zip(names, predicted.tolist(), strict=True) if target == own]
    assert 0 < len(same) < len(names)
    assert [name for name, _ in kept.skipped if "broken" not in name] == same
    assert "another-image:lrp-epsilon" in kept.morf
    assert not kept.set_aside


def test_a_run_resumes_only_with_the_same_class(folder, tmp_path):
    run(folder, tmp_path / "run", "second", {"against": "second"})
    with pytest.raises(hp.InputError, match=r'another configuration \(against: "second" then, 1 now'):
        run(folder, tmp_path / "run", 1, {"against": 1})


def test_replacements_and_plans_take_it(folder):
    images, _ = images_of(folder)
    study = hp.compare_replacements(
        small_network(), images, ["uniform", "black"], method="lrp-epsilon", against="second", regions=6
    )
    first, other = (cell.morf["lrp-epsilon"] for cell in study.cells.values())
    assert torch.equal(first.against, other.against)
    torch.testing.assert_close(first.scores[..., 0], other.scores[..., 0])
    forecast = hp.plan_comparison(
        small_network(), images, METHODS, against="second", regions=6, steps=3, protocol="samek2017"
    )
    assert forecast.evaluations == 11 * (1 + 4 * 3)


def test_methods_of_one_logit_are_refused_before_anything_is_written(folder, tmp_path):
    (tmp_path / "own.py").write_text("def explain(network, images, targets):\n    return images[:, 0]\n")
    method = f"{tmp_path / 'own.py'}:explain"
    wanted = Wanted(methods={method: method}, protocol=Protocol(against="second", **VALUES))
    with pytest.raises(hp.InputError, match="explains one logit"):
        run_comparison(wanted, partial(loaded, folder), LocalStore(tmp_path / "run"), {})
    assert not (tmp_path / "run" / "run.json").exists()
