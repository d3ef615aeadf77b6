"""A study is the same in memory, in a folder, at a URL, on Ray, and gone on with after it was killed."""

from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.studied import PREPROCESSING, draw_eleven, small_network
from torch import nn

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.options.changing import RandomisationOptions, StabilityOptions
from heatproof.options.planted import PlantedOptions
from heatproof.options.studies import AssessOptions, ReplacementsOptions
from heatproof.perturbation import Protocol
from heatproof.runs.progress import read_progress
from heatproof.runs.store import LocalStore, open_store
from heatproof.studies.assess import loaded as reloaded
from heatproof.studies.assess import wanted_assessment
from heatproof.studies.changing.asking import wanted_changing
from heatproof.studies.complexity import wanted_complexity
from heatproof.studies.planted import wanted_planted
from heatproof.studies.replacements import wanted_replacements
from heatproof.studies.road import driver, running
from heatproof.studies.road.cell_runs import read_cells, run_cells
from heatproof.studies.road.reading import read_comparison, read_study
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.wanted import Wanted

METHODS = ("lrp-epsilon", "sensitivity-l2", "random")
VALUES = {"replacement": "constant", "regions": 6, "repeats": 2, "engine": "full", "scored": 4}
OPTIONS = {"lerf": True, "measures": ("single-region",), "audit": 5, "show": 3}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven pictures, and one that is none: the last, so that all have the same neighbours in memory."""
    return draw_eleven(tmp_path_factory.mktemp("photos"), "99 broken.png")


def loaded(folder):
    return small_network(), as_dataset(folder)


def run(folder, store, **given):
    wanted = Wanted(methods={name: name for name in METHODS}, protocol=Protocol(**VALUES), **OPTIONS)
    return run_comparison(wanted, partial(loaded, folder), store, {}, Execution(**given))


@pytest.fixture(scope="module")
def in_memory(folder):
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images = hp.load_images(paths, PREPROCESSING)
    names = [str(path) for path in paths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 4)
        return hp.compare(small_network(), images, METHODS, names=names, **VALUES, **OPTIONS, protocol="samek2017")


@contextmanager
def stopped(monkeypatch, writes):
    """Somebody pulls the plug while a run writes its n-th object of a shard or the audit."""
    put, count = LocalStore.put, [0]

    def failing(self, name, data):
        count[0] += "shards/" in name or "audit/" in name
        if count[0] == writes:
            raise KeyboardInterrupt
        put(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", failing)
        with pytest.raises(KeyboardInterrupt):
            yield


def assert_same(one, other, *, derived=True):
    """All that a comparison says, to the last bit."""
    assert (one.names, one.classes) == (other.names, other.classes)
    for mine, theirs in ((one.morf, other.morf), (one.lerf, other.lerf)):
        assert list(mine) == list(theirs)
        for name, curves in mine.items():
            for part in ("scores", "orders", "removed_fraction", "scored", "targets"):
                assert torch.equal(getattr(curves, part), getattr(theirs[name], part)), (name, part)
            assert (curves.order, curves.images) == (theirs[name].order, theirs[name].images)
    for method, measures in one.measured.items():
        for name, values in measures.items():
            np.testing.assert_array_equal(values, other.measured[method][name])
    assert one.audit.frame().equals(other.audit.frame())
    assert one.audit.r_oms == other.audit.r_oms
    assert one.verdict == other.verdict
    assert one.table() == other.table()
    assert one.shown.numbers == other.shown.numbers
    assert torch.equal(one.shown.images, other.shown.images)
    for name, maps in one.shown.heatmaps.items():
        assert torch.equal(maps, other.shown.heatmaps[name])


def test_in_a_folder(in_memory, folder, tmp_path):
    assert_same(in_memory, run(folder, open_store(tmp_path / "run")))


def test_at_a_url(in_memory, folder):
    assert_same(in_memory, run(folder, open_store("memory://one-road/run")))


@pytest.mark.parametrize("writes", [1, 3, 4, 8, 9])
def test_gone_on_with(in_memory, folder, tmp_path, monkeypatch, writes):
    with stopped(monkeypatch, writes):
        run(folder, open_store(tmp_path / "run"))
    assert_same(in_memory, run(folder, open_store(tmp_path / "run")))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason='needs ray: pip install "heatproof[ray]"')
def test_on_ray(in_memory, folder, tmp_path):
    from heatproof.runs.ray_workers import RayWorkers

    assert_same(in_memory, run(folder, open_store(tmp_path / "run"), workers=partial(RayWorkers, count=2)))


def test_saved_and_reported_again(in_memory, tmp_path):
    in_memory.save(tmp_path / "run", reproduce="study = hp.compare(…)")
    again = read_comparison(open_store(tmp_path / "run"))
    assert_same(in_memory, again)
    assert again.warnings == in_memory.warnings
    assert {"report.html", "table.csv"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_saved_with_regions_of_its_own_and_pictures_that_were_skipped(tmp_path):
    images = torch.rand(5, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    regions = torch.arange(18 * 18).reshape(18, 18) // 36
    study = hp.compare(
        small_network(), images, {"mine": images.sum(1), "theirs": lambda network, images, targets: images[:, 0]},
        regions=regions, audit=2, engine="full", skipped=[(f"{n}.png", "is no picture") for n in range(6)],
        protocol="samek2017",
    )  # fmt: skip
    study.save(tmp_path / "run")
    again = read_comparison(open_store(tmp_path / "run"))
    assert_same(study, again)
    assert again.skipped == study.skipped
    assert again.warnings == study.warnings


def test_saved_after_a_race(tmp_path):
    images = torch.rand(44, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    options = {"regions": 6, "engine": "full", "until": "signs", "audit": 3}
    study = hp.compare(small_network(), images, METHODS, **options, protocol="samek2017")
    study.save(tmp_path / "run")
    again = read_comparison(open_store(tmp_path / "run"))
    assert_same(study, again)
    assert again.settlement.describe() == study.settlement.describe()


def test_a_method_may_be_called_as_another_s_reversed_order():
    images = torch.rand(4, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    plain = hp.compare(
        small_network(), images, ["lrp-epsilon", "sobel"], lerf=True, audit=0, engine="full", protocol="samek2017"
    )
    named = {"a": "lrp-epsilon", "a (least relevant first)": "sobel"}
    study = hp.compare(small_network(), images, named, lerf=True, audit=0, engine="full", protocol="samek2017")
    for name, method in named.items():
        assert torch.equal(study.morf[name].scores, plain.morf[method].scores)
        assert torch.equal(study.lerf[name].scores, plain.lerf[method].scores)


@pytest.mark.parametrize("steps", [None, "all"])
def test_superpixels_of_which_some_images_have_fewer(folder, tmp_path, steps):
    """The number of steps is that of the image with fewest, of all shards."""
    protocol = Protocol(regions="slic[segments=30,compactness=0.05]", steps=steps, repeats=1, engine="full")
    wanted = Wanted(methods={"sobel": "sobel"}, protocol=protocol)
    study = run_comparison(wanted, partial(loaded, folder), open_store(tmp_path / "run"), {})
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images, values = hp.load_images(paths, PREPROCESSING), {"steps": steps, "engine": "full", "audit": 0}
    plain = hp.compare(small_network(), images, ["sobel"], regions=protocol.regions, **values, protocol="samek2017")
    assert torch.equal(study.morf["sobel"].scores, plain.morf["sobel"].scores)
    again = run_comparison(wanted, partial(loaded, folder), open_store(tmp_path / "run"), {})
    assert torch.equal(study.morf["sobel"].scores, again.morf["sobel"].scores)


@pytest.mark.parametrize("channels", [1, 4])
def test_without_a_picture_to_show_all_channels_are_taken(channels, tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16 * 16, 4))
    images = torch.rand(5, channels, 18, 18)
    study = hp.compare(
        hp.Network(module), images, ["lrp-epsilon"], regions=6, engine="full", audit=2, show=0, protocol="samek2017"
    )
    assert study.shown.images.shape[:2] == (0, channels)
    study.save(tmp_path / "run")
    again = read_comparison(open_store(tmp_path / "run"))
    assert again.shown.images.shape[:2] == (0, channels)
    assert again.table() == study.table()


# --- studies of several comparisons

REPLACEMENTS = ["constant", "uniform", "blur[sigma=2]"]


def shaken(seed):
    """The network with other weights."""
    found = small_network()
    generator = torch.Generator().manual_seed(seed)
    for parameter in found.module.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return found.module.state_dict()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    for seed in (1, 2):
        save_file(shaken(seed), folder / f"step{seed}.safetensors")
    return sorted(folder.iterdir())


def other_weights(folder, name, weights):
    topology, dataset = loaded(folder)
    return reloaded(topology, name, weights), dataset


def labels_of(folder):
    return {str(path): number % 4 for number, path in enumerate(sorted(folder.iterdir()))}


def of_cells(kind, folder, checkpoints):
    shared = {"method": "lrp-epsilon", "regions": 6, "repeats": 2, "engine": "full", "scored": 4}
    if kind == "replacements":
        return wanted_replacements(ReplacementsOptions(replacements=REPLACEMENTS, **shared), partial(loaded, folder))
    load = partial(other_weights, folder)
    return wanted_assessment(AssessOptions(**shared), checkpoints, small_network().name, load, labels_of(folder))


@pytest.fixture(scope="module", params=["replacements", "assess"])
def cells(request, folder, checkpoints):
    """What is wanted, and what comes out in memory."""
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images = hp.load_images(paths, PREPROCESSING)
    shared = {"regions": 6, "repeats": 2, "engine": "full", "scored": 4, "names": [str(path) for path in paths]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 4)
        if request.param == "replacements":
            study = hp.compare_replacements(small_network(), images, REPLACEMENTS, method="lrp-epsilon", **shared)
        else:
            labels = torch.tensor([labels_of(folder)[str(path)] for path in paths])
            study = hp.assess(small_network(), checkpoints, images, method="lrp-epsilon", labels=labels, **shared)
    return of_cells(request.param, folder, checkpoints), study


def assert_same_cells(one, other):
    assert one.names == other.names
    assert one.frame().equals(other.frame())
    assert one.table() == other.table()
    assert one.verdict == other.verdict
    assert one.about().get("topology") == other.about().get("topology")
    for name, cell in one.cells.items():
        assert torch.equal(cell.shown.images, other.cells[name].shown.images)
        for method, maps in cell.shown.heatmaps.items():
            assert torch.equal(maps, other.cells[name].shown.heatmaps[method])


def test_cells_in_a_folder_and_reported_again(cells, tmp_path):
    wanted, study = cells
    found = run_cells(wanted, open_store(tmp_path / "run"), {})
    assert_same_cells(study, found)
    assert len(found.skipped) == 1
    before = {path: path.read_bytes() for path in sorted((tmp_path / "run").glob("*.csv"))}
    again = read_cells(open_store(tmp_path / "run"))
    again.write_results(open_store(tmp_path / "run"), "")
    assert_same_cells(study, again)
    assert before == {path: path.read_bytes() for path in before}
    assert read_progress(open_store(tmp_path / "run")).state == "finished"


def test_cells_at_a_url(cells):
    wanted, study = cells
    assert_same_cells(study, run_cells(wanted, open_store(f"memory://one-road/{wanted.study}"), {}))


@pytest.mark.parametrize("writes", [1, 2, 5, 9, 12])
def test_cells_gone_on_with(cells, tmp_path, monkeypatch, writes):
    wanted, study = cells
    with stopped(monkeypatch, writes):
        run_cells(wanted, open_store(tmp_path / "run"), {})
    progress = read_progress(open_store(tmp_path / "run"))
    assert (progress.state, progress.shards) == ("stopped", 3 * len(wanted.cells))
    assert_same_cells(study, run_cells(wanted, open_store(tmp_path / "run"), {}))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason='needs ray: pip install "heatproof[ray]"')
def test_cells_on_ray(cells, tmp_path):
    from heatproof.runs.ray_workers import RayWorkers

    wanted, study = cells
    assert_same_cells(
        study, run_cells(wanted, open_store(tmp_path / "run"), {}, Execution(partial(RayWorkers, count=2)))
    )


def test_cells_saved_and_reported_again(cells, tmp_path):
    _, study = cells
    study.save(tmp_path / "run")
    again = read_cells(open_store(tmp_path / "run"))
    assert_same_cells(study, again)
    assert again.warnings == study.warnings


# --- the complexity of heatmaps


def run_complexity_in(folder, store, **given):
    methods = {name: name for name in METHODS}
    wanted = wanted_complexity(methods, memory=2**31)
    return run_comparison(wanted, partial(loaded, folder), store, {}, Execution(**given))


@pytest.fixture(scope="module")
def simplicity(folder):
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images = hp.load_images(paths, PREPROCESSING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 4)
        return hp.complexity(small_network(), images, METHODS, names=[str(path) for path in paths])


def assert_same_simplicity(one, other):
    assert one.frame().equals(other.frame())
    assert one.verdict == other.verdict
    assert one.table() == other.table()
    for name, maps in one.heatmaps.items():
        np.testing.assert_array_equal(maps, other.heatmaps[name])


def test_complexity_in_a_folder_at_a_url_and_reported_again(simplicity, folder, tmp_path):
    for store in (open_store(tmp_path / "run"), open_store("memory://one-road/complexity")):
        found = run_complexity_in(folder, store)
        assert_same_simplicity(simplicity, found)
        assert len(found.skipped) == 1
        again = read_study(store)
        again.write_results(store, "")
        assert_same_simplicity(simplicity, again)
        assert again.warnings == found.warnings
        assert read_progress(store).whole == 3


@pytest.mark.parametrize("writes", [1, 3, 5])
def test_complexity_gone_on_with(simplicity, folder, tmp_path, monkeypatch, writes):
    with stopped(monkeypatch, writes):
        run_complexity_in(folder, open_store(tmp_path / "run"))
    assert_same_simplicity(simplicity, run_complexity_in(folder, open_store(tmp_path / "run")))


def test_complexity_saved_and_reported_again(simplicity, tmp_path):
    simplicity.save(tmp_path / "run")
    again = read_study(open_store(tmp_path / "run"))
    assert_same_simplicity(simplicity, again)
    assert again.warnings == simplicity.warnings
    with pytest.raises(hp.InputError, match="expected the run of a comparison, got a run of complexity"):
        read_comparison(open_store(tmp_path / "run"))


# --- heatmaps that are made again

CHANGES = {
    "stability": (hp.stability, StabilityOptions(draws=2, tolerance=0.5)),
    "randomisation": (hp.randomisation, RandomisationOptions(groups=2)),
}


def run_changing_in(folder, store, options):
    wanted = wanted_changing(options, METHODS, memory=2**31)
    return run_comparison(wanted, partial(loaded, folder), store, {})


@pytest.fixture(scope="module", params=CHANGES)
def changed(request, folder):
    paths = [path for path in sorted(folder.iterdir()) if "broken" not in path.name]
    images = hp.load_images(paths, PREPROCESSING)
    function, options = CHANGES[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 4)
        names = [str(path) for path in paths]
        return options, function(small_network(), images, METHODS, names=names, **asdict(options))


def test_heatmaps_made_again_in_a_folder_at_a_url_and_reported_again(changed, folder, tmp_path):
    options, study = changed
    for store in (open_store(tmp_path / "run"), open_store(f"memory://one-road/{options.study}")):
        found = run_changing_in(folder, store, options)
        assert_same_simplicity(study, found)
        assert len(found.skipped) == 1
        again = read_study(store)
        again.write_results(store, "")
        assert_same_simplicity(study, again)
        assert again.warnings == found.warnings
        assert read_progress(store).whole == 3


@pytest.mark.parametrize("writes", [1, 4])
def test_heatmaps_made_again_gone_on_with(changed, folder, tmp_path, monkeypatch, writes):
    options, study = changed
    with stopped(monkeypatch, writes):
        run_changing_in(folder, open_store(tmp_path / "run"), options)
    assert_same_simplicity(study, run_changing_in(folder, open_store(tmp_path / "run"), options))


def test_heatmaps_made_again_saved_and_reported_again(changed, tmp_path):
    options, study = changed
    study.save(tmp_path / "run")
    again = read_study(open_store(tmp_path / "run"))
    assert_same_simplicity(study, again)
    with pytest.raises(hp.InputError, match=f"expected the run of a comparison, got a run of {options.study}"):
        read_comparison(open_store(tmp_path / "run"))


def test_what_cannot_be_changed_is_refused_before_a_run_begins(folder, tmp_path):
    with pytest.raises(hp.InputError, match="shift must be less than half of the images"):
        run_changing_in(folder, open_store(tmp_path / "run"), StabilityOptions(shift=500))
    assert not (tmp_path / "run" / "run.json").exists()


# --- what was planted


class Colours(nn.Module):
    """A class for each of red, green, blue and grey; the last feature, bright yellow, is of no use to them."""

    def __init__(self):
        super().__init__()
        self.colours, self.last = nn.Conv2d(3, 5, 1), nn.Linear(5, 4, bias=False)
        with torch.no_grad():
            weight = torch.cat([3 * torch.eye(4)[:, :3] - 1, torch.tensor([[20.0, 20, -20]])])
            self.colours.weight.copy_(weight[:, :, None, None])
            self.colours.bias.copy_(torch.tensor([0, 0, 0, 0.75, -16]))
            self.last.weight.copy_(8 * torch.eye(5)[:4])

    def forward(self, images):
        return self.last(torch.relu(self.colours(images)).mean(dim=(2, 3)))


def seeing_colours():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(Colours(), preprocessing=PREPROCESSING)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Eighteen pictures of four colours, and one that is none: the last, as above."""
    folder, generator = tmp_path_factory.mktemp("coloured"), np.random.default_rng(0)
    colours = np.array([(90, 0, 0), (0, 90, 0), (0, 0, 90), (30, 30, 30)])
    for number in range(18):
        pixels = generator.integers(0, 30, (24, 22, 3)) + colours[number % 4]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    (folder / "99 broken.png").write_bytes(b"no picture")
    return folder


def coloured_and_network(folder):
    return seeing_colours(), as_dataset(folder)


def run_planted_in(folder, store, kind, **given):
    methods = {name: name for name in METHODS}
    wanted = wanted_planted(PlantedOptions(kind=kind, seed=1), methods, memory=2**31)
    opened = partial(coloured_and_network, folder)
    return run_comparison(wanted, opened, store, {"kind": kind}, Execution(**given))


@pytest.fixture(scope="module", params=["mosaics", "patch"])
def planted(request, coloured):
    """What is planted, and what comes out in memory."""
    paths = [path for path in sorted(coloured.iterdir()) if "broken" not in path.name]
    images, names = hp.load_images(paths, PREPROCESSING), [str(path) for path in paths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 4)
        return request.param, hp.planted(seeing_colours(), images, METHODS, names=names, kind=request.param, seed=1)


def assert_same_truth(one, other):
    assert one.frame().equals(other.frame())
    assert one.places_frame().equals(other.places_frame())
    assert one.planted.patch == other.planted.patch
    assert one.network["weights_blake2b"] == other.network["weights_blake2b"]
    assert one.verdict == other.verdict
    assert one.table() == other.table()
    assert torch.equal(one.found.shown.images, other.found.shown.images)
    for name, maps in one.found.shown.heatmaps.items():
        assert torch.equal(maps, other.found.shown.heatmaps[name])


def test_planted_in_a_folder_at_a_url_and_reported_again(planted, coloured, tmp_path):
    kind, truth = planted
    for store in (open_store(tmp_path / "run"), open_store(f"memory://one-road/planted-{kind}")):
        found = run_planted_in(coloured, store, kind)
        assert_same_truth(truth, found)
        assert len(found.skipped) == 1
        again = read_study(store)
        again.write_results(store, "")
        assert_same_truth(truth, again)
        assert again.warnings == found.warnings
        progress = read_progress(store)
        assert (progress.state, progress.whole) == ("finished", -(-len(truth.places) // 4))
        assert_same_truth(truth, run_planted_in(coloured, store, kind))  # nothing is left to do


@pytest.mark.parametrize("writes", [1, 3, 5])
def test_planted_gone_on_with(planted, coloured, tmp_path, monkeypatch, writes):
    kind, truth = planted
    with stopped(monkeypatch, writes):
        run_planted_in(coloured, open_store(tmp_path / "run"), kind)
    assert_same_truth(truth, run_planted_in(coloured, open_store(tmp_path / "run"), kind))


def test_what_is_planted_is_settled_once(planted, coloured, tmp_path, monkeypatch):
    kind, truth = planted
    with stopped(monkeypatch, 3):
        run_planted_in(coloured, open_store(tmp_path / "run"), kind)
    monkeypatch.setattr(running, "planted_by", None)
    assert_same_truth(truth, run_planted_in(coloured, open_store(tmp_path / "run"), kind))


def test_another_kind_is_refused(planted, coloured, tmp_path):
    kind, _ = planted
    store = open_store(tmp_path / "run")
    run_planted_in(coloured, store, "patch" if kind == "mosaics" else "mosaics")
    with pytest.raises(hp.InputError, match=r"holds a run of another configuration \(kind: .*\); resume it"):
        run_planted_in(coloured, store, kind)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason='needs ray: pip install "heatproof[ray]"')
def test_planted_on_ray(planted, coloured, tmp_path):
    from heatproof.runs.ray_workers import RayWorkers

    kind, truth = planted
    workers = partial(RayWorkers, count=2)
    assert_same_truth(truth, run_planted_in(coloured, open_store(tmp_path / "run"), kind, workers=workers))


def test_planted_saved_and_reported_again(planted, tmp_path):
    _, truth = planted
    truth.save(tmp_path / "run")
    again = read_study(open_store(tmp_path / "run"))
    assert_same_truth(truth, again)
    assert again.warnings == truth.warnings
    with pytest.raises(hp.InputError, match="expected the run of a comparison, got a run of planted"):
        read_comparison(open_store(tmp_path / "run"))
