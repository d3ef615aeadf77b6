"""A run is gone on with where it was left, and gives what it would have given undisturbed, byte for byte."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from tests.studied import draw_eleven, small_network

import heatproof as hp
from heatproof.data import as_dataset, source
from heatproof.perturbation import Protocol
from heatproof.results.settlement import Rule
from heatproof.runs.objects import StoreError
from heatproof.runs.run_record import read_content
from heatproof.runs.store import LocalStore, open_store
from heatproof.runs.workers import LocalWorkers
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import gathered
from heatproof.studies.road.merging import merge
from heatproof.studies.road.record import read_assignment
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.wanted import Wanted

METHODS = ("lrp-epsilon", "sensitivity-l2")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 4)


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven pictures, and one that is none."""
    return draw_eleven(tmp_path_factory.mktemp("photos"), "05 broken.png")


@pytest.fixture
def load(network, folder):
    return lambda: (network, as_dataset(folder))


def wanted(**changes):
    values = {"replacement": "uniform", "regions": 6, "repeats": 1, "engine": "auto"} | changes.pop("protocol", {})
    options = {"lerf": False, "measures": (), "rule": None, "audit": 0, "methods": METHODS} | changes
    options["methods"] = {name: name for name in options["methods"]}
    return Wanted(protocol=Protocol(**values), **options)


def run(wanted, load, store, **execution):
    protocol = {name: value for name, value in wanted.describe()["protocol"].items() if value is not None}
    return run_comparison(wanted, load, store, {"methods": [*wanted.methods], **protocol}, Execution(**execution))


def scores(path):
    return {file.name: file.read_bytes() for file in sorted((path / "shards").glob("*.parquet"))}


class Stop(KeyboardInterrupt):
    """Somebody pulled the plug."""


@pytest.fixture
def stopped(monkeypatch):
    """Makes runs stop while they write their n-th object into shards/."""

    def after(writes):
        put, count = LocalStore.put, [0]

        def failing(self, name, data):
            count[0] += name.startswith("shards/")
            if count[0] == writes:
                raise Stop
            put(self, name, data)

        monkeypatch.setattr(LocalStore, "put", failing)
        return lambda: monkeypatch.setattr(LocalStore, "put", put)

    return after


def test_it_finds_what_comparing_in_memory_finds(load, network, folder, tmp_path):
    study = run(wanted(lerf=True, audit=4, measures=("single-region",)), load, open_store(tmp_path / "run"))
    images = hp.load_images([path for path in sorted(folder.iterdir()) if "broken" not in path.name], network)
    plain = hp.compare(
        network, images, METHODS, regions=6, lerf=True, audit=4, measures=["single-region"], protocol="samek2017"
    )
    assert [name for name, _ in study.skipped] == [str(folder / "05 broken.png")]
    for mine, theirs in ((study.morf, plain.morf), (study.lerf, plain.lerf)):
        assert list(mine) == list(theirs)
        for name, curves in mine.items():
            torch.testing.assert_close(curves.scores, theirs[name].scores, atol=1e-5, rtol=1e-5)
    for method, measures in plain.measured.items():
        for name, values in measures.items():
            np.testing.assert_allclose(study.measured[method][name], values, atol=1e-5)
    assert study.audit.names == tuple(plain.names[n].replace("image", "image") and study.names[n] for n in
                                      [plain.names.index(name) for name in plain.audit.names])  # fmt: skip
    assert study.table().rows[0][0] == plain.table().rows[0][0]
    assert study.work.evaluations == plain.work.evaluations
    assert study.shown.numbers == (0, 1, 2, 3, 4, 5, 6)  # the first eight, but for the one that is no picture
    assert torch.equal(study.shown.images, images[:7])
    for name, maps in study.heatmaps.items():
        torch.testing.assert_close(maps, plain.heatmaps[name][: len(maps)], atol=1e-6, rtol=1e-4)


def test_where_no_picture_can_be_used_the_reason_of_one_is_told(network, tmp_path):
    (tmp_path / "a.csv").write_text("path,label\nnone.png,1\n")
    missing = as_dataset(f"csv:{tmp_path / 'a.csv'}")
    with pytest.raises(hp.InputError, match=r"cannot use 'none\.png': line 2 of"):
        run(wanted(), lambda: (network, missing), open_store(tmp_path / "run"))


def test_the_folder_holds_what_it_should(load, tmp_path):
    path = tmp_path / "run"
    run(wanted(), load, open_store(path), reproduce="the command")
    assert {"run.json", "report.html", "table.csv", "measures.parquet", "log.jsonl"} <= {p.name for p in path.iterdir()}
    record = json.loads((path / "run.json").read_text())
    assert (record["schema"], record["data"]["members"], record["shard_size"]) == (3, 12, 4)
    assert record["reproduce"] == "the command"
    rows = pl.read_parquet(path / "shards" / "*[0-9].parquet")
    assert rows.height == 11 * 3
    assert set(rows["image"]) == {str(p) for p in (load()[1].members[n].name for n in range(12)) if "broken" not in p}


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 9])
def test_a_run_that_was_stopped_goes_on_and_is_the_same(load, tmp_path, stopped, writes):
    run(wanted(), load, open_store(tmp_path / "whole"))
    go_on = stopped(writes)
    with pytest.raises(Stop):
        run(wanted(), load, open_store(tmp_path / "run"))
    go_on()
    before = scores(tmp_path / "run")
    computed = []
    run(wanted(), load, open_store(tmp_path / "run"), on_progress=lambda done, total: computed.append(done))
    assert scores(tmp_path / "run") == scores(tmp_path / "whole")
    whole = (writes - 1) // 3  # a shard is two tables and a marker
    assert computed[-1] == (11 - [0, 4, 7, 11][whole]) * 28
    assert before.items() <= scores(tmp_path / "run").items()


def test_a_finished_run_computes_nothing_again(load, tmp_path):
    first = run(wanted(), load, open_store(tmp_path / "run"))
    seen = []
    again = run(wanted(), load, open_store(tmp_path / "run"), on_progress=lambda *at: seen.append(at))
    assert [at for at in seen if at[0]] == []
    assert again.table().rows == first.table().rows


def test_another_configuration_is_refused_and_named(load, tmp_path, folder, network):
    run(wanted(), load, open_store(tmp_path / "run"))
    with pytest.raises(hp.InputError, match=r"another configuration \(regions: 6 then, 9 now\)"):
        run(wanted(protocol={"regions": 9}), load, open_store(tmp_path / "run"))
    fewer = as_dataset(sorted(folder.iterdir())[:6])
    with pytest.raises(hp.InputError, match="members: 12 then, 6 now"):
        run(wanted(), lambda: (network, fewer), open_store(tmp_path / "run"))


def test_a_shard_that_was_changed_is_refused(load, tmp_path):
    run(wanted(), load, open_store(tmp_path / "run"))
    file = tmp_path / "run" / "shards" / "00001.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(hp.InputError, match=r"00001\.parquet has changed since it was written"):
        run(wanted(), load, open_store(tmp_path / "run"))


def test_a_shard_that_fails_is_set_aside(load, tmp_path, monkeypatch):
    read = source.read_shard

    def failing(dataset, numbers, preprocessing):
        if 4 in numbers and len(numbers) > 1:
            raise RuntimeError("the disk sings")
        return read(dataset, numbers, preprocessing)

    monkeypatch.setattr(source, "read_shard", failing)
    study = run(wanted(), load, open_store(tmp_path / "run"))
    assert len(study.names) == 8
    assert any("1 shard could not be computed" in text and "the disk sings" in text for text in study.warnings)
    assert json.loads((tmp_path / "run" / "failed" / "00001.json").read_text())["tries"] == 2
    monkeypatch.setattr(source, "read_shard", read)
    assert len(run(wanted(), load, open_store(tmp_path / "run")).names) == 11


def test_statistics_of_all_pictures_are_kept_for_going_on(load, tmp_path, network, folder):
    study = run(wanted(protocol={"replacement": "constant"}), load, open_store(tmp_path / "run"))
    images = hp.load_images([path for path in sorted(folder.iterdir()) if "broken" not in path.name], network)
    plain = hp.compare(network, images, METHODS, regions=6, replacement="constant", audit=0, protocol="samek2017")
    for name, curves in study.morf.items():
        torch.testing.assert_close(curves.scores, plain.morf[name].scores, atol=1e-5, rtol=1e-5)
    again = run(wanted(protocol={"replacement": "constant"}), load, open_store(tmp_path / "run"))
    assert again.protocol.statistics.images_blake2b == plain.protocol.statistics.images_blake2b


def test_until_it_is_settled_goes_on_too(load, tmp_path, stopped):
    run(wanted(rule=Rule("signs")), load, open_store(tmp_path / "whole"))
    go_on = stopped(4)
    with pytest.raises(Stop):
        run(wanted(rule=Rule("signs")), load, open_store(tmp_path / "run"))
    go_on()
    study = run(wanted(rule=Rule("signs")), load, open_store(tmp_path / "run"))
    assert scores(tmp_path / "run") == scores(tmp_path / "whole")
    assert study.settlement.given == 12


@pytest.mark.parametrize("rule", [None, Rule("ranked", 0.5)])
def test_everything_derived_follows_from_what_is_stored(load, tmp_path, rule):
    study = run(
        wanted(rule=rule, lerf=True, protocol={"replacement": "constant", "repeats": 2}),
        load,
        open_store(tmp_path / "run"),
    )
    store = open_store(tmp_path / "run")
    again = gathered(read_assignment(store), read_content(store)["network"])
    assert again.table() == study.table()
    assert again.measures_table() == study.measures_table()
    assert again.verdict == study.verdict
    assert again.settlement == study.settlement
    assert again.derived().keys() == study.derived().keys()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{", "run.json of .*: it is not JSON"),
        (b"[]", "expected an object, got a list"),
        (b'{"schema": 1, "study": "compare"}', "has schema 1; this version reads 2 and 3: compute it again"),
        (b'{"schema": 2, "study": "compare", "costs": []}', "configuration is missing, and"),
        (
            b'{"schema": 2, "study": "compare", "costs": [], "configuration": {}}',
            "network is missing, and",
        ),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, record, message):
    store = open_store(tmp_path)
    store.put("run.json", record)
    with pytest.raises(hp.InputError, match=message):
        read_assignment(store)


def test_a_run_at_a_url_is_the_same_and_says_that_nothing_locks_it(load, tmp_path):
    pytest.importorskip("fsspec")
    study = run(wanted(), load, open_store("memory://somewhere/run"))
    run(wanted(), load, open_store(tmp_path / "run"))
    store = open_store("memory://somewhere/run")
    there = {name.removeprefix("shards/"): store.get(name) for name in store.names("shards/") if "parquet" in name}
    assert there == scores(tmp_path / "run")
    assert any("lock" in note for note in study.notes)
    assert b"<html" in store.get("report.html")


def test_racing_is_for_one_process(load, tmp_path):
    for given in ({"workers": LocalWorkers}, {"share": (1, 2)}):
        with pytest.raises(hp.InputError, match="leave out --on ray and --share, or until"):
            run(wanted(rule=Rule("signs")), load, open_store(tmp_path), **given)


def test_shares_are_merged_into_what_one_run_gives(load, tmp_path):
    whole, target = open_store(tmp_path / "whole"), open_store(tmp_path / "merged")
    study = run(wanted(), load, whole)
    shares = [open_store(tmp_path / f"share {number}") for number in (1, 2)]
    for number, store in enumerate(shares, start=1):
        part = run(wanted(), load, store, share=(number, 2))
        assert len(part.names) == {1: 8, 2: 3}[number]
    merge([*shares, whole], target)
    assert scores(tmp_path / "merged") == scores(tmp_path / "whole")
    again = gathered(read_assignment(target), read_content(target)["network"])
    assert again.table() == study.table()
    for name, maps in again.heatmaps.items():
        torch.testing.assert_close(maps, study.heatmaps[name])


def test_a_share_without_shards_is_refused(load, tmp_path):
    with pytest.raises(hp.InputError, match="share 4/5 is empty: 12 images make 3 shards"):
        run(wanted(), load, open_store(tmp_path / "run"), share=(4, 5))


def test_runs_of_other_studies_are_not_merged(tmp_path):
    hp.complexity(small_network(), torch.rand(3, 3, 18, 18), ["sobel"]).save(tmp_path / "run")
    with pytest.raises(hp.InputError, match=r"expected shares of a comparison .*, got a run of complexity"):
        merge([open_store(tmp_path / "run")], open_store(tmp_path / "merged"))


def test_what_is_not_of_the_same_study_is_not_merged(load, tmp_path):
    stores = [open_store(tmp_path / name) for name in ("one", "other")]
    run(wanted(), load, stores[0])
    run(wanted(protocol={"seed": 1}), load, stores[1])
    with pytest.raises(hp.InputError, match="seed"):
        merge(stores, open_store(tmp_path / "merged"))


def test_the_first_shard_may_be_the_one_that_fails(load, tmp_path, monkeypatch):
    compute = driver.Worker.__call__
    monkeypatch.setattr(driver.Worker, "__call__", lambda self, number: compute(self, number) if number else 1 / 0)
    study = run(wanted(), load, open_store(tmp_path / "run"))
    assert (len(study.names), study.shown.numbers) == (7, (0, 1, 2))  # of the first eight, those of the second shard
    assert "report.html" in study.derived()


def test_a_picture_that_vanishes_on_the_way_is_skipped(network, folder, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    dataset = as_dataset(photos)
    (photos / "09.png").unlink()
    (photos / "10.png").write_bytes((photos / "10.png").read_bytes()[:200])
    study = run(wanted(), lambda: (network, dataset), open_store(tmp_path / "run"))
    assert [Path(name).name for name, _ in study.skipped] == ["05 broken.png", "09.png", "10.png"]
    assert len(study.names) == 9


@pytest.mark.parametrize("writes", [2, 5])
def test_a_full_disk_ends_the_run_and_loses_no_shard(load, tmp_path, monkeypatch, writes):
    run(wanted(), load, open_store(tmp_path / "whole"))
    put, count = LocalStore.put, [0]

    def full(self, name, data):
        count[0] += name.startswith(("shards/", "failed/"))
        if count[0] >= writes:
            raise StoreError(errno.ENOSPC, "no space left")
        put(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", full)
        with pytest.raises(StoreError, match="no space left"):
            run(wanted(), load, open_store(tmp_path / "run"))
    assert len(list((tmp_path / "run" / "shards").glob("*[0-9].json"))) == writes // 4
    run(wanted(), load, open_store(tmp_path / "run"))
    assert scores(tmp_path / "run") == scores(tmp_path / "whole")
