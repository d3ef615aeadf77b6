"""Symmetric comparisons: both orders, controls, another image's map, and a protocol that is chosen on a pilot."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from tests.studied import PREPROCESSING, draw_eleven, small_network
from torch import nn

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import Explained
from heatproof.measures import abpc, aopc, r_oms
from heatproof.options.studies import CompareOptions, ProtocolsOptions
from heatproof.perturbation import perturb
from heatproof.perturbation.protocols import PROTOCOLS
from heatproof.results.headline import gains
from heatproof.results.part import REFERENCE
from heatproof.runs.store import open_store
from heatproof.studies import pilot
from heatproof.studies.compare import wanted_comparison
from heatproof.studies.donors import Donors
from heatproof.studies.protocols import wanted_protocols
from heatproof.studies.road import driver
from heatproof.studies.road.cell_runs import read_cells, run_cells
from heatproof.studies.road.merging import merge
from heatproof.studies.road.reading import read_comparison
from heatproof.studies.road.running import Execution, run_comparison

METHODS = ["lrp-epsilon", "sensitivity-l2"]


@pytest.fixture(scope="module")
def images():
    return torch.rand(10, 3, 18, 18, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def study(images):
    return hp.compare(small_network(), images, METHODS, regions=6, replacement="uniform", audit=0)


def test_the_headline_is_the_difference_of_both_orders(study, images):
    for name in METHODS:
        maps = hp.explain(small_network(), images, name)
        values = {"regions": 6, "replacement": "uniform", "scored": 4, "steps": "all"}
        morf, lerf = (perturb(small_network(), images, maps, order=order, **values) for order in ("morf", "lerf"))
        expected = (aopc(morf) - aopc(lerf)).double().numpy()
        np.testing.assert_allclose(study.values[name], expected, atol=1e-6)
        np.testing.assert_allclose(study.values[name], abpc(morf, lerf).double().numpy(), atol=1e-6)


def test_halves_add_up_and_the_random_order_is_zero(study):
    first, second = gains(study.morf, study.lerf)
    for name, values in study.values.items():
        if name != REFERENCE:
            np.testing.assert_allclose(first[name] + second[name], values, atol=1e-6)
    assert not study.values[REFERENCE].any()


def test_a_reversed_map_has_the_area_with_the_other_sign(images):
    named = {"map": "gradient-x-input", "reverse": "negated:gradient-x-input"}
    found = hp.compare(small_network(), images, named, regions=6, replacement="blur", audit=0, controls=False)
    np.testing.assert_allclose(found.values["map"], -found.values["reverse"], atol=1e-6)


def test_methods_are_ranked_and_controls_stand_beside_them(study):
    assert sorted(study.ranking.methods) == sorted(METHODS)
    expected = {"centre-gaussian", "sobel", "centred-sobel", "occlusion", "randomised:lrp-epsilon"}
    assert set(study.controls) == expected | {f"another-image:{name}" for name in METHODS}
    rivals = {"centre-gaussian", "sobel", "centred-sobel", REFERENCE}
    assert {name: set(one.rivals) for name, one in study.evidence.items()} == {
        name: rivals | {f"another-image:{name}"} for name in METHODS
    }


def test_the_papers_protocol_is_as_it_was(images):
    found = hp.compare(small_network(), images, METHODS, regions=6, protocol="samek2017", audit=0)
    assert (set(found.morf), found.lerf, found.evidence) == ({*METHODS, REFERENCE}, {}, {})
    alone = perturb(small_network(), images, hp.explain(small_network(), images, METHODS[0]), regions=6)
    assert torch.equal(found.morf[METHODS[0]].scores, alone.scores)
    assert found.table().columns[:2] == ("method", "AOPC")


def test_another_images_map_is_that_of_another_class(study):
    maps, targets = study.heatmaps, study.found.targets
    for number, found in enumerate(maps["another-image:lrp-epsilon"]):
        (donor,) = [other for other, one in enumerate(maps["lrp-epsilon"]) if torch.allclose(one, found, atol=1e-6)]
        assert donor != number
        assert targets[donor] != targets[number]


def test_donors_are_others_where_all_are_of_one_class_and_oneself_where_there_is_no_other():
    maps = torch.arange(3.0)[:, None, None].expand(3, 2, 2)
    donors = Donors(("a", "b", "c"), torch.zeros(3, dtype=torch.int64), {"control": maps}, seed=0)
    nothing = torch.zeros(3, dtype=torch.int64)
    lent = donors.lend(["a", "b", "c"], Explained(nothing, torch.zeros(3), {})).heatmaps["control"]
    assert all(int(lent[number, 0, 0]) != number for number in range(3))
    alone = Donors(("a",), torch.zeros(1, dtype=torch.int64), {"control": maps[:1]}, seed=0)
    lent = alone.lend(["a"], Explained(nothing[:1], torch.zeros(1), {})).heatmaps["control"]
    assert torch.equal(lent, maps[:1])


def test_batches_and_the_order_of_images_change_nothing(study, images, monkeypatch):
    monkeypatch.setattr(hp.Network, "batch_size", lambda *_args, **_options: 3)
    turned = hp.compare(small_network(), images.flip(0), METHODS, regions=6, replacement="uniform", audit=0)
    for name, values in study.values.items():
        np.testing.assert_allclose(turned.values[name][::-1], values, atol=1e-6)


def test_given_maps_have_the_control_too(images):
    found = hp.compare(small_network(), images, {"mine": images.sum(dim=1)}, regions=6, audit=0)
    assert "another-image:mine" in found.controls


@pytest.mark.parametrize("name", sorted(set(PROTOCOLS) - {"dropped-tokens"}))  # which needs a transformer
def test_every_protocol_runs(name, images):
    found = hp.compare(small_network(), images[:3], ["sobel"], protocol=name, audit=0, controls=False)
    assert found.symmetric == (name != "samek2017")


def test_an_unknown_protocol_is_refused(images):
    with pytest.raises(InputError, match="unknown protocol 'corse-blur'; did you mean 'coarse-blur'"):
        hp.compare(small_network(), images, METHODS, protocol="corse-blur")


# --- the pilot


@pytest.fixture
def small_pilots(monkeypatch):
    for name, value in {"MOST": 3, "FEWEST": 3, "LEFT": 2}.items():
        monkeypatch.setattr(pilot, name, value)
    monkeypatch.setattr(driver, "SIZE", 4)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    return draw_eleven(tmp_path / "photos", "99 broken.png")


def opened(folder):
    return small_network(), as_dataset(folder)


def run(folder, store):
    wanted = wanted_comparison(CompareOptions(audit=3), METHODS)
    return run_comparison(wanted, partial(opened, folder), store, {})


@pytest.mark.usefixtures("small_pilots")
def test_the_pilot_is_not_judged_and_a_run_says_the_same(folder, tmp_path):
    found = run(folder, open_store(tmp_path / "run"))
    assert len(found.choice.images) in (2, 3)  # one picture is broken
    assert not set(found.choice.images) & set(found.names)
    assert len(found.names) + len(found.choice.images) == 11
    assert found.protocol.describe()["regions"] in {str(one.regions) for one in found.choice.candidates}
    again = read_comparison(open_store(tmp_path / "run"))
    assert (again.choice, again.verdict, again.table()) == (found.choice, found.verdict, found.table())
    resumed = run(folder, open_store(tmp_path / "run"))
    assert (resumed.choice, resumed.table()) == (found.choice, found.table())
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    given = hp.load_images(paths, PREPROCESSING)
    names = [str(path) for path in paths]
    wanted = wanted_comparison(CompareOptions(audit=0), METHODS)
    places = pilot.pilot_places(wanted, names)
    in_memory = hp.compare(small_network(), given, METHODS, names=names, audit=0)
    assert in_memory.choice.images == tuple(names[place] for place in places)
    in_memory.save(tmp_path / "saved")
    assert read_comparison(open_store(tmp_path / "saved")).table() == in_memory.table()


@pytest.mark.usefixtures("small_pilots")
def test_shares_that_chose_different_protocols_are_not_merged(folder, tmp_path):
    stores = [open_store(tmp_path / name) for name in ("first", "second")]
    for number, store in enumerate(stores, start=1):
        wanted = wanted_comparison(CompareOptions(audit=0), METHODS)
        run_comparison(wanted, partial(opened, folder), store, {}, Execution(share=(number, 2)))
    merge(stores, open_store(tmp_path / "both"))
    assert len(read_comparison(open_store(tmp_path / "both")).names) in (8, 9)
    record = json.loads((tmp_path / "second" / "run.json").read_text())
    record["choice"]["candidates"][0]["separation"] = -9.0
    (tmp_path / "second" / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"has another protocol than .* each share chose its own"):
        merge(stores, open_store(tmp_path / "again"))


@pytest.mark.usefixtures("small_pilots")
def test_the_pilot_does_not_depend_on_the_order_of_images(images):
    first = hp.compare(small_network(), images, METHODS, audit=0)
    turned = hp.compare(small_network(), images.flip(0), METHODS, audit=0)
    assert first.choice.candidates == turned.choice.candidates or first.choice.chosen == turned.choice.chosen
    assert {identity for identity in first.identities} == {identity for identity in turned.identities}
    for name, values in first.values.items():
        np.testing.assert_allclose(turned.values[name][::-1], values, atol=1e-6)


def test_too_few_images_take_the_default(images):
    found = hp.compare(small_network(), images, METHODS, audit=0)
    assert found.choice is None
    assert found.protocol.regions == "relative-grid[across=8]"


@pytest.mark.parametrize(
    "given", [{"regions": 6}, {"replacement": "uniform"}, {"steps": 3}, {"protocol": "large-blur"}]
)
def test_what_is_given_leaves_nothing_to_choose(given):
    assert not wanted_comparison(CompareOptions(**given), METHODS).candidates


def test_a_pilot_takes_a_fifth_of_a_comparison_of_200_images():
    for methods in (
        METHODS,
        ["lrp-epsilon", "sensitivity-l2", "lrp-alphabeta", "gradient-x-input", "deconvolution-l2"],
    ):
        wanted = wanted_comparison(CompareOptions(), methods)
        whole = 200 * (1 + (2 * len(wanted.methods) + 1) * wanted.protocol.scored)
        taken = pilot.pilot_size(wanted) * pilot.pilot_evaluations(wanted)
        assert taken <= max(whole / 5, pilot.FEWEST * pilot.pilot_evaluations(wanted))


# --- protocols compared


def test_protocols_are_compared_and_a_run_says_the_same(folder, tmp_path):
    names = ["coarse-blur", "fine-uniform"]
    wanted = wanted_protocols(ProtocolsOptions(candidates=names), METHODS, partial(opened, folder))
    found = run_cells(wanted, open_store(tmp_path / "run"), {})
    assert sorted(found.candidates) == names
    again = read_cells(open_store(tmp_path / "run"))
    assert (again.verdict, again.table(), again.frame().equals(found.frame())) == (found.verdict, found.table(), True)
    assert again.describe()["candidates"] == found.describe()["candidates"]
    assert 0 < found.candidates["coarse-blur"].r_oms < 1
    assert np.isnan(found.candidates["fine-uniform"].r_oms)  # on larger images it does not remove all regions
    assert (tmp_path / "run/report.html").exists()


@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_r_oms_is_that_of_the_random_order_and_changes_no_other_number(images, engine):
    given = {"engine": engine, "repeats": 2, "seed": 4}
    found = hp.compare_protocols(small_network(), images, METHODS, candidates=["coarse-uniform"], **given)
    values = {"regions": "relative-grid[across=8]", "steps": "all", "scored": 4, "order": "random"}
    random = perturb(small_network(), images, score="probability", **values, **given)
    assert found.candidates["coarse-uniform"].r_oms == pytest.approx(float(r_oms(random).mean()), abs=1e-6)
    alone = hp.compare(small_network(), images, METHODS, protocol="coarse-uniform", audit=0, **given)
    assert found.frame().drop("protocol").equals(alone.frame())
    assert found.work.evaluations == alone.work.evaluations + 10 * (1 + 2 * 4)


def test_r_oms_takes_nothing_more_where_probabilities_are_followed_anyway(images):
    done = []
    found = hp.compare_protocols(
        small_network(),
        images,
        METHODS,
        candidates=["large-blur"],
        score="probability",
        on_progress=lambda *now: done.append(now),
    )
    (cell,) = found.cells.values()
    assert found.candidates["large-blur"].r_oms == float(r_oms(cell.morf[REFERENCE]).mean())
    assert (cell.found.others, done[-1][0]) == ({}, done[-1][1])
    assert "R-OMS" in found.table().columns


def test_candidates_that_differ_in_score_and_removed_share(folder, tmp_path, images):
    names = ["large-blur", "large-blur[score=probability]", "large-blur[removed=0.5]"]
    wanted = wanted_protocols(ProtocolsOptions(candidates=names), METHODS, partial(opened, folder))
    found = run_cells(wanted, open_store(tmp_path / "run"), {})
    rows = {row[0]: dict(zip(found.table().columns, row, strict=True)) for row in found.table().rows}
    assert [rows[name]["score"] for name in names] == ["logit", "probability", "logit"]
    assert rows[names[0]]["removed"] == rows[names[1]]["removed"] == pytest.approx(2 * rows[names[2]]["removed"])
    assert rows[names[0]]["R-OMS"] == pytest.approx(rows[names[1]]["R-OMS"], abs=1e-6)
    assert np.isnan(rows[names[2]]["R-OMS"])
    assert any("Separations are compared between scores" in note for note in found.table().notes)
    units = found.frame().select("protocol", "unit").unique().sort("protocol").rows()
    assert units == [("large-blur", "logit"), (names[2], "logit"), (names[1], "probability")]
    for name, cell in found.cells.items():
        assert cell.protocol.unit in found.page().sections[0].charts[list(found.candidates).index(name)].x
    again = read_cells(open_store(tmp_path / "run"))
    assert (again.verdict, again.table(), again.frame().equals(found.frame())) == (found.verdict, found.table(), True)
    assert {"assay-large-blur.png", "assay-large-blur-removed-0.5.png"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_a_protocol_with_options_is_compared_with_as_any_other(images):
    found = hp.compare(small_network(), images, METHODS, protocol="large-blur[score=probability,removed=0.5]", audit=0)
    given = {"regions": "relative-grid[across=4]", "replacement": "blur", "score": "probability", "scored": 4}
    other = hp.compare(small_network(), images, METHODS, **given, steps="50%", audit=0)
    assert found.frame().equals(other.frame())
    assert found.protocol.unit == "probability"
    forecast = hp.plan_comparison(
        small_network(), images, METHODS, protocol="large-blur[score=probability,removed=0.5]", audit=0
    )
    assert forecast.evaluations == found.work.evaluations


def test_protocols_of_one_order_are_refused(images):
    with pytest.raises(InputError, match="must be protocols of both orders, got 'samek2017'"):
        hp.compare_protocols(small_network(), images, METHODS, candidates=["samek2017"])
    with pytest.raises(InputError, match="none twice, got coarse-blur, coarse-blur"):
        hp.compare_protocols(small_network(), images, METHODS, candidates=["coarse-blur"] * 2)
    with pytest.raises(InputError, match=r"none twice, got coarse-blur, coarse-blur\[removed=1\]"):
        hp.compare_protocols(small_network(), images, METHODS, candidates=["coarse-blur", "coarse-blur[removed=1]"])
    with pytest.raises(TypeError, match="must be a list of names, got the text"):
        hp.compare_protocols(small_network(), images, METHODS, candidates="coarse-blur")


# --- controls in closed form


def test_occlusion_of_a_linear_network_is_what_each_window_loses(images):
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2))
    network = hp.Network(module)
    found = hp.explain(network, images, "occlusion[across=3]", targets=0)
    weight = module[1].weight[0].detach().reshape(3, 18, 18)
    lost = weight * (images - torch.from_numpy(_blurred(images)).float())  # (N, C, H, W)
    expected = lost.sum(dim=1).reshape(10, 3, 6, 3, 6).sum(dim=(2, 4))
    torch.testing.assert_close(found, expected.repeat_interleave(6, 1).repeat_interleave(6, 2), atol=1e-4, rtol=1e-4)


def _blurred(images):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images.double().numpy(), (0, 0, 18 / 12, 18 / 12), mode="reflect")


def test_centred_edges_are_smooth_edges_times_the_gaussian(images):
    from scipy.ndimage import gaussian_filter

    network = small_network()
    edges, centre = (hp.explain(network, images, name).double() for name in ("sobel", "centre-gaussian"))
    expected = torch.from_numpy(gaussian_filter(edges.numpy(), (0, 18 / 16, 18 / 16))) * centre
    torch.testing.assert_close(hp.explain(network, images, "centred-sobel").double(), expected, atol=1e-5, rtol=1e-5)


# --- the second witness


def coloured(count=24):
    """Photographs that are red, green, blue or grey, and a network that tells which."""
    colours = nn.Conv2d(3, 4, 1)
    with torch.no_grad():
        colours.weight.copy_(torch.tensor([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2], [0, 0, 0]])[:, :, None, None])
        colours.bias.copy_(torch.tensor([0, 0, 0, 0.3]))
    network = hp.Network(nn.Sequential(colours, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    photographs = 0.2 * torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for number in range(count):
        photographs[number, [0, 1, 2] if number % 4 == 3 else number % 4] += 0.7 if number % 4 < 3 else 0.4
    return network, photographs


def test_planted_truth_beside_a_comparison(tmp_path):
    network, photographs = coloured()
    named = {"good": "lrp-epsilon", "bad": "negated:lrp-epsilon", "worse": "negated:gradient-x-input"}
    found = hp.compare(network, photographs, named, regions=4, audit=0, planted=True)
    alone = hp.planted(network, photographs, {"good": "lrp-epsilon"})
    assert found.truth.estimates["share"]["good"] == alone.estimates["share"]["good"]
    assert any(text.startswith("Planted truth (6 pictures") for text in found.verdict)
    assert "Planted truth" in [section.heading for section in found.page().sections]
    found.save(tmp_path / "run")
    again = read_comparison(open_store(tmp_path / "run"))
    assert again.verdict == found.verdict
    with pytest.raises(InputError, match="planted needs a method that is computed"):
        hp.compare(network, photographs, {"mine": photographs.sum(dim=1)}, planted=True)


def test_too_few_classes_for_mosaics_are_noticed_before_anything_is_compared(folder, tmp_path):
    network, photographs = coloured(8)
    few, asked = torch.cat([photographs[0::4], photographs[1::4]]), []
    with pytest.raises(InputError, match="a mosaic of 2 × 2 needs photographs of 4 classes, got 4 photographs of 2"):
        hp.compare(network, few, METHODS, regions=4, planted=True, on_progress=lambda *done: asked.append(done))
    with pytest.raises(InputError, match="a mosaic of 2 × 2 needs photographs of 4 classes, got 4 photographs of 2"):
        hp.plan_comparison(network, few, METHODS, regions=4, planted=True)
    for path in sorted(folder.iterdir())[2:]:
        path.unlink()
    wanted, progress = wanted_comparison(CompareOptions(audit=0, regions=6, planted=True), METHODS), []
    execution = Execution(on_progress=lambda *done: progress.append(done))
    with pytest.raises(InputError, match="a mosaic of 2 × 2 needs photographs of 4 classes"):
        run_comparison(wanted, partial(opened, folder), open_store(tmp_path / "run"), {}, execution)
    assert asked == progress == []
    assert not (tmp_path / "run").exists()


def test_a_plan_counts_planted_truth_as_it_comes_out():
    network, photographs = coloured()
    given = {"regions": 4, "audit": 0, "controls": False}
    found = hp.compare(network, photographs, METHODS, **given, planted=True)
    plain = hp.plan_comparison(network, photographs, METHODS, **given)
    forecast = hp.plan_comparison(network, photographs, METHODS, **given, planted=True)
    mosaics = len({place.picture for place in found.truth.planted.places})
    assert (forecast.planting.images, forecast.planting.evaluations) == (24, 24 + mosaics)
    assert forecast.planting.tiles == len(found.truth.places)
    assert forecast.evaluations == plain.evaluations
    assert forecast.seconds > forecast.planting.seconds > 0
    assert "30 more evaluations, in full, on 24 images, and heatmaps of 24 tiles of mosaics" in str(forecast)
    assert "planted truth" not in str(plain)
    half = hp.plan_comparison(network, photographs, METHODS, **given, planted=True, budget=24 * 41)
    assert half.planting.images == half.proposal.design.images


def test_planted_truth_in_a_run_is_that_of_memory(folder, tmp_path):
    wanted = wanted_comparison(CompareOptions(audit=0, regions=6, planted=True), METHODS)
    found = run_comparison(wanted, partial(opened, folder), open_store(tmp_path / "run"), {})
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images, names = hp.load_images(paths, PREPROCESSING), [str(path) for path in paths]
    here = hp.compare(small_network(), images, METHODS, names=names, audit=0, regions=6, planted=True)
    assert str(found.truth.estimates) == str(here.truth.estimates)
    again = run_comparison(wanted, partial(opened, folder), open_store(tmp_path / "run"), {})
    stored = read_comparison(open_store(tmp_path / "run"))
    assert found.verdict == here.verdict == again.verdict == stored.verdict


def test_heatmaps_of_a_pool_that_is_judged_are_made_once(images, monkeypatch):
    """Few images are one shard and the whole pool; else donors are explained by themselves."""
    monkeypatch.setattr(driver.Worker, "donors", property(lambda _: pytest.fail("donors are explained again")))
    once = hp.compare(small_network(), images, METHODS, regions=6, replacement="uniform", audit=0)
    monkeypatch.undo()
    monkeypatch.setattr(driver, "SIZE", 4)
    again = hp.compare(small_network(), images, METHODS, regions=6, replacement="uniform", audit=0)
    for name, values in once.values.items():
        np.testing.assert_allclose(again.values[name], values, atol=1e-6)
