"""Methods with alternatives: their names, what choosing among them promises, and what it gives on held-out images."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from tests.studied import PREPROCESSING, draw_eleven, small_network

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.measures import aopc
from heatproof.options.studies import CompareOptions
from heatproof.registry import variants_of
from heatproof.results.tuning import FOLDS, folds_of, tuned, tuned_methods
from heatproof.runs.store import LocalStore
from heatproof.studies.compare import wanted_comparison
from heatproof.studies.road.reading import read_study
from heatproof.studies.road.running import run_comparison

GAMMA = "lrp-epsilon-gamma-box[gamma=0.05|0.25|1]"
VARIANTS = ["lrp-epsilon-gamma-box[gamma=0.05]", "lrp-epsilon-gamma-box[gamma=0.25]", "lrp-epsilon-gamma-box[gamma=1]"]
VALUES = {"regions": 6, "engine": "full", "audit": 0}


# --- Names


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("lrp-epsilon", ["lrp-epsilon"]),
        ("lrp-epsilon[epsilon=1]", ["lrp-epsilon[epsilon=1]"]),
        (GAMMA, VARIANTS),
        ("a[x=1|2,y=p|q]", ["a[x=1,y=p]", "a[x=1,y=q]", "a[x=2,y=p]", "a[x=2,y=q]"]),
        ("randomised[seed=0|1]:a[x=3]", ["randomised[seed=0]:a[x=3]", "randomised[seed=1]:a[x=3]"]),
        ("mine.py:explain[size= 4 | 8 ]", ["mine.py:explain[size=4]", "mine.py:explain[size=8]"]),
        ("odd|name.py:explain", ["odd|name.py:explain"]),
    ],
)
def test_variants(spec, expected):
    assert variants_of(spec) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a[x=1|]", r"expected values with single \| between them, got an empty one in 'a\[x=1\|\]'"),
        ("a[x=1||2]", "got an empty one"),
        (f"a[x={'|'.join(map(str, range(33)))}]", "has 33 variants; at most 32 can compete: give fewer values"),
        ("a[x=1|2|3|4|5|6,y=1|2|3|4|5|6]", "has 36 variants"),
    ],
)
def test_refused_alternatives(spec, message):
    with pytest.raises(hp.InputError, match=message):
        variants_of(spec)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ([GAMMA, VARIANTS[0]], r"method 'lrp-epsilon-gamma-box\[gamma=0.05\]' is given twice, also as a variant of"),
        (["lrp-epsilon[epsilon=1|1.0]"], "is given twice, first as"),
        ({"mine": GAMMA, VARIANTS[1]: torch.zeros(2, 18, 18)}, "is given twice, also as a variant of mine"),
        (["lrp-epsilon[epsilon=1|x]"], "option of method 'lrp-epsilon': epsilon must be a number, got 'x'"),
    ],
)
def test_variants_are_checked_like_other_methods(methods, message):
    with pytest.raises(hp.InputError, match=message):
        wanted_comparison(CompareOptions(), methods)


def test_where_one_method_is_expected_alternatives_are_refused():
    network, images = small_network(), torch.rand(2, 3, 18, 18)
    refused = pytest.raises(hp.InputError, match="expected one value for each option, got alternatives in 'lrp-epsilon")
    with refused:
        hp.explain(network, images, GAMMA)
    with refused:
        hp.assess(network, {"a": network.module.state_dict()}, images, method=GAMMA)
    with refused:
        hp.compare_replacements(network, images, ["uniform"], method=GAMMA)
    with refused:
        hp.complexity(network, images, [GAMMA])
    with pytest.raises(hp.InputError, match="got alternatives in 'blur"):
        hp.perturb(network, images, order="random", replacement="blur[sigma=1|2]")


# --- Promised and held out


def test_folds_belong_to_images():
    names = [f"image {number}" for number in range(23)]
    folds = folds_of(names)
    assert sorted(np.bincount(folds)) == [11, 12]
    assert len(np.bincount(folds)) == FOLDS
    shuffled = np.random.default_rng(0).permutation(23)
    assert folds_of([names[place] for place in shuffled]).tolist() == folds[shuffled].tolist()
    assert folds_of(names, seed=1).tolist() != folds.tolist()
    twice = folds_of([*names, *names])
    assert twice[:23].tolist() == twice[23:].tolist()
    with pytest.raises(hp.InputError, match="at least two different images, got 1"):
        folds_of(["a", "a"])


def test_a_loop_from_the_definition():
    generator = np.random.default_rng(3)
    values = {f"v{number}": generator.standard_normal(17) for number in range(4)}
    names = [f"image {number}" for number in range(17)]
    found, folds = tuned("v", values, names), folds_of(names)
    held_out = []
    for image in range(17):
        others = [other for other in range(17) if folds[other] != folds[image]]
        best = max(values, key=lambda name: np.mean([values[name][other] for other in others]))
        assert found.chosen[folds[image]] == best
        held_out.append(values[best][image])
    assert found.held_out.mean == pytest.approx(np.mean(held_out))
    assert found.promised == pytest.approx(max(one.mean() for one in values.values()))
    assert found.winner == max(values, key=lambda name: values[name].mean())


def test_order_of_images_changes_nothing():
    generator = np.random.default_rng(4)
    values = {f"v{number}": generator.standard_normal(20) for number in range(3)}
    names, other = [str(number) for number in range(20)], generator.permutation(20)
    found = tuned("v", values, names)
    again = tuned("v", {name: one[other] for name, one in values.items()}, [names[place] for place in other])
    assert (found.winner, found.chosen) == (again.winner, again.chosen)
    assert found.held_out.mean == pytest.approx(again.held_out.mean)


@pytest.mark.parametrize(("alike", "holds"), [(0.0, 0.88), (0.9, 0.93)])
def test_held_out_is_unbiased_where_all_variants_are_equal_and_promised_is_not(alike, holds):
    """All means are 0. Of 8 equal variants and 24 images, the best one promises about 1.4 standard errors."""
    generator, rounds, images = np.random.default_rng(0), 1500, 24
    names = [f"image {number}" for number in range(images)]
    promised, held_out, covered = [], [], 0
    for _ in range(rounds):
        own, shared = generator.standard_normal((8, images)), generator.standard_normal(images)
        table = np.sqrt(1 - alike) * own + np.sqrt(alike) * shared
        found = tuned("v", {f"v{number}": row for number, row in enumerate(table)}, names)
        promised.append(found.promised)
        held_out.append(found.held_out.mean)
        covered += found.held_out.low <= 0 <= found.held_out.high
    error = np.std(held_out) / np.sqrt(rounds)
    assert abs(np.mean(held_out)) < 4 * error
    assert np.mean(promised) == pytest.approx(1.42 * np.sqrt((1 - alike) / images), rel=0.1)
    assert holds < covered / rounds < 0.97


# --- Comparisons


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_eleven(tmp_path_factory.mktemp("photos"), "99 broken.png")


def loaded(folder):
    return small_network(), as_dataset(folder)


def test_a_comparison_and_its_run_say_what_tuning_is_worth(folder, tmp_path):
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images, methods = hp.load_images(paths, PREPROCESSING), ["sobel", GAMMA]
    here = hp.compare(
        small_network(), images, methods, names=[str(path) for path in paths], **VALUES, protocol="samek2017"
    )
    assert list(here.heatmaps) == ["sobel", *VARIANTS]
    wanted = wanted_comparison(CompareOptions(**VALUES, protocol="samek2017"), {name: name for name in methods})
    run_comparison(wanted, partial(loaded, folder), LocalStore(tmp_path), {})
    stored = read_study(LocalStore(tmp_path))
    (found,) = tuned_methods(here)
    assert (found,) == tuple(tuned_methods(stored))
    random = aopc(here.morf["random order"]).double().numpy()
    above = {name: aopc(here.morf[name]).double().numpy() - random for name in VARIANTS}
    assert found == tuned(GAMMA, above, here.identities)
    assert str(stored.tuning_table()) == str(here.tuning_table())
    assert any(said.startswith(f"Choosing among 3 variants of {GAMMA} promises") for said in stored.verdict)
    page = (tmp_path / "report.html").read_text()
    assert "Tuned methods" in page
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["plan"]["tuned"] == {GAMMA: VARIANTS}
    assert record["tuned"][GAMMA]["winner"] == found.winner
    here.save(tmp_path / "saved")
    assert tuned_methods(read_study(LocalStore(tmp_path / "saved"))) == [found]


def test_without_alternatives_nothing_is_said(folder):
    study = hp.compare(
        small_network(), torch.rand(3, 3, 18, 18), ["sobel", "lrp-epsilon"], **VALUES, protocol="samek2017"
    )
    assert tuned_methods(study) == []
    assert "Tuned methods" not in [section.heading for section in study.page().sections]
    one = hp.compare(small_network(), torch.rand(1, 3, 18, 18), [GAMMA], **VALUES, protocol="samek2017")
    assert tuned_methods(one) == []  # one image cannot be left out


def test_a_race_measures_the_images_that_all_variants_have():
    images = torch.rand(24, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    study = hp.compare(
        small_network(), images, [GAMMA, "negated:lrp-epsilon"], until="signs", **VALUES, protocol="samek2017"
    )
    counts = [len(study.morf[name].images) for name in (*VARIANTS, "random order")]
    assert [one.count for one in tuned_methods(study)] == [min(counts)]


def test_controls_and_plans():
    wanted = wanted_comparison(CompareOptions(controls=True, protocol="samek2017"), [GAMMA])
    assert f"negated:{VARIANTS[0]}" in wanted.methods
    assert dict(wanted.tuned) == {GAMMA: tuple(VARIANTS)}
    forecast = hp.plan_comparison(
        small_network(), torch.rand(2, 3, 18, 18), [GAMMA], regions=6, steps=3, protocol="samek2017"
    )
    assert forecast.methods == 3


def test_a_plan_whose_variants_are_no_methods_is_refused():
    wanted = wanted_comparison(CompareOptions(), [GAMMA])
    with pytest.raises(hp.InputError, match="is a variant of a tuned method, and no method of the comparison"):
        type(wanted)(methods={"sobel": "sobel"}, protocol=wanted.protocol, tuned=wanted.tuned)
    with pytest.raises(hp.InputError, match="'a' is a tuned method with fewer than two variants"):
        type(wanted)(methods={"sobel": "sobel"}, protocol=wanted.protocol, tuned={"a": ["sobel"]})
