"""What ``heatproof report`` makes again is what the run made, byte for byte; runs of an earlier schema are read."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import nn

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.perturbation import Protocol
from heatproof.runs.ledger import digest
from heatproof.runs.progress import read_progress
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import WITHOUT_AUDIT
from heatproof.runs.serialization import from_parquet, parquet_bytes
from heatproof.runs.store import open_store
from heatproof.studies.road import driver
from heatproof.studies.road.merging import WITHOUT_AUDITS, merge
from heatproof.studies.road.reading import read_comparison
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.road.stored_audit import MARKER, TABLE, store_audit, stored_audit
from heatproof.studies.wanted import Wanted

EARLIER = Path(__file__).parent / "schema-2"
COMMAND = "heatproof compare photos"
STORED = ("run.json", "log.jsonl", "lock", "study.toml", "statistics.safetensors", "shards", "heatmaps.zarr", "audit")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 2)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A network and five pictures."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(5):
        Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 10, 3))
    preprocessing = hp.Preprocessing(resize=12, crop=12)
    network = hp.Network(module, preprocessing=preprocessing, name="tiny", notes=["its weights are not trained"])
    return lambda: (network, as_dataset(folder))


def wanted(methods=("lrp-epsilon", "sensitivity-l2"), audit=4, **protocol):
    values = {"regions": 4, "repeats": 1, "engine": "full"} | protocol
    return Wanted(methods={name: name for name in methods}, protocol=Protocol(**values), lerf=True, audit=audit)


def computed(wanted, load, store, **execution):
    protocol = {name: value for name, value in wanted.describe()["protocol"].items() if value is not None}
    settings = {"methods": [*wanted.methods], "audit": wanted.audit, **protocol}
    return run_comparison(wanted, load, store, settings, Execution(**execution))


@pytest.fixture(scope="module")
def whole_run(load, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 2)
        computed(wanted(), load, open_store(folder), reproduce=COMMAND)
    return folder


@pytest.fixture
def finished(whole_run, tmp_path):
    return shutil.copytree(whole_run, tmp_path / "run")


def derived(run):
    return {path.name: path.read_bytes() for path in sorted(run.iterdir()) if path.name not in STORED}


def made_again(run):
    store = open_store(run)
    read_comparison(store).write_results(store, str(read_content(store)["reproduce"]))
    return derived(run)


@pytest.mark.parametrize(
    ("methods", "changed"),
    [
        (("lrp-epsilon", "sensitivity-l2"), {}),
        (("sobel", "lrp-epsilon"), {"replacement": "constant", "repeats": 2, "score": "probability", "scored": 3}),
        (("sensitivity-l2",), {"regions": "slic[segments=6]"}),
    ],
    ids=["plain", "probability", "one method"],
)
def test_a_report_is_made_again_byte_for_byte(load, tmp_path, methods, changed):
    run = tmp_path / "run"
    computed(wanted(methods, **changed), load, open_store(run), reproduce=COMMAND)
    first, record = derived(run), json.loads((run / "run.json").read_text())
    assert {"report.html", "table.csv", "measures.parquet", "audit.parquet", "audit.svg"} <= set(first)
    for name in first:
        (run / name).unlink()
    assert made_again(run) == first
    assert json.loads((run / "run.json").read_text()) == record
    assert record["audit"]["images"]
    assert "its weights are not trained" in first["report.html"].decode()


def test_a_finished_run_is_not_audited_again(load, finished):
    before, seen = (finished / MARKER).stat().st_mtime_ns, []
    computed(wanted(), load, open_store(finished), on_progress=lambda done, _: seen.append(done))
    assert not any(seen)
    assert (finished / MARKER).stat().st_mtime_ns == before


def test_what_was_restored_is_what_was_found(load, tmp_path):
    network, dataset = load()
    images = hp.load_images([tmp_path.parent / member.name for member in dataset.members], network)
    audit = hp.compare(
        network, images, ["lrp-epsilon", "sensitivity-l2"], regions=4, audit=4, lerf=True, protocol="samek2017"
    ).audit
    store = open_store(tmp_path)
    store_audit(store, audit, 5)
    again = stored_audit(store, Protocol(regions=4, repeats=1), 5)
    assert replace(again, evaluated=(), removal={}) == replace(audit, evaluated=(), removal={})
    assert again.describe() == audit.describe()
    assert again.frame().equals(audit.frame())
    assert [str(found) for found in again.conditions] == [str(found) for found in audit.conditions]
    assert again.removal["blur"].protocol.replacement == "blur"
    assert again.evaluated[0].curves["probability", "morf"]["lrp-epsilon"].protocol.score == "probability"


def test_an_audit_of_fewer_images_counts_as_none(finished):
    assert stored_audit(open_store(finished), Protocol(regions=4), 5)
    assert stored_audit(open_store(finished), Protocol(regions=4), 6) is None


def changed_table(store, change):
    """Writes the changed table, with a marker that fits it."""
    data = parquet_bytes(change(from_parquet(store.get(TABLE), TABLE, 10_000)))
    store.put(TABLE, data)
    changed_marker(store, lambda marker: marker | {"objects": {TABLE: digest(data)}})


def changed_marker(store, change):
    store.put(MARKER, json.dumps(change(json.loads(store.get(MARKER)))).encode())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("scores"), "expected columns scores"),
        (lambda frame: frame.drop("setting"), "expected columns setting"),
        (lambda frame: frame.head(3), "is damaged"),
        (lambda frame: frame.filter(pl.col("setting") != 1), "is damaged"),
        (lambda frame: frame.filter(pl.col("order") != "lerf"), "setting 0 has"),
        (lambda frame: frame.filter(pl.col("method") != "lrp-epsilon"), "AOPC|is damaged"),
        (lambda frame: frame.filter(pl.col("number") != 2), "its rows are not those of the images"),
        (lambda frame: frame.with_columns(pl.col("setting") + 90), "sequences of other settings than its"),
        (lambda frame: frame.with_columns(pl.lit("nothing").alias("unit")), "unknown score 'nothing'"),
    ],
)
def test_a_table_that_says_something_else_is_refused(finished, change, message):
    store = open_store(finished)
    changed_table(store, change)
    if message.startswith("AOPC"):  # one method less is an audit, though of another comparison
        assert stored_audit(store, Protocol(regions=4), 5).methods == ["sensitivity-l2"]
        return
    with pytest.raises(hp.InputError, match=message):
        stored_audit(store, Protocol(regions=4), 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: [], "audit.json of .*: expected an object, got a list"),
        (lambda marker: marker | {"schema": 4}, "schema must be 2 or 3, got 4"),
        (lambda marker: marker | {"objects": {}}, "objects .* at least 1 item"),
        (lambda marker: marker | {"objects": {TABLE: "0" * 32}}, "has changed since it was written"),
        (lambda marker: marker | {"names": ["one"]}, "is damaged"),
        (lambda marker: marker | {"to_the_end": []}, "to_the_end .* at least 1 item"),
        (lambda marker: marker | {"seconds": "inf"}, "seconds must be a valid number, got 'inf'"),
        (lambda marker: marker | {"engine": {}}, "engine.name is missing, and 3 more"),
        (lambda marker: marker | {"settings": [{}]}, "settings.0.changed is missing"),
    ],
)
def test_a_marker_that_says_something_else_is_refused(finished, change, message):
    store = open_store(finished)
    changed_marker(store, change)
    with pytest.raises(hp.InputError, match=message):
        stored_audit(store, Protocol(regions=4), 5)


def test_shares_leave_their_audits_behind(load, tmp_path):
    shares = [open_store(tmp_path / f"share {number}") for number in (1, 2)]
    for number, store in enumerate(shares, start=1):
        computed(wanted(), load, store, share=(number, 2))
    target = open_store(tmp_path / "merged")
    merge(shares, target)
    study = read_comparison(target)
    assert study.audit is None
    assert study.notes == ("its weights are not trained", WITHOUT_AUDITS)
    whole = computed(wanted(), load, target)
    assert whole.audit.names
    assert whole.notes == ("its weights are not trained",)


# A run of schema 2 that heatproof wrote at commit 432146f, without what is derived but its table


@pytest.fixture
def earlier(tmp_path):
    return shutil.copytree(EARLIER, tmp_path / "earlier")


def test_a_run_of_schema_2_is_read(earlier):
    study = read_comparison(open_store(earlier))
    numbers, _, _ = (EARLIER / "table.md").read_text().partition("\n\n")  # the words below the rows may change
    assert study.table().to_markdown().startswith(numbers)
    assert (study.audit, study.notes) == (None, (WITHOUT_AUDIT,))
    assert set(study.lerf) == {"gradient-x-input", "sensitivity-l2"}
    assert read_progress(open_store(earlier)).state == "finished"


def test_a_run_of_schema_2_is_migrated_when_its_report_is_made(earlier):
    summary = json.loads((earlier / "run.json").read_text())["audit"]
    assert made_again(earlier).keys() >= {"report.html", "table.md"}
    record = json.loads((earlier / "run.json").read_text())
    assert (record["schema"], record["notes"], record["audit"]) == (3, [WITHOUT_AUDIT], summary)
    assert made_again(earlier) == derived(earlier)


def test_a_run_of_schema_2_goes_on(load, finished):
    first = derived(finished)
    for path in [finished / "run.json", *(finished / "shards").glob("*.json")]:
        content = json.loads(path.read_text()) | {"schema": 2}
        path.write_text(json.dumps({key: value for key, value in content.items() if key != "notes"}))
    shutil.rmtree(finished / "audit")
    (finished / "shards" / "00001.json").unlink()
    study = computed(wanted(), load, open_store(finished), reproduce=COMMAND)
    assert study.audit
    assert [json.loads(path.read_text())["schema"] for path in sorted((finished / "shards").glob("*.json"))] == [
        2,
        3,
        2,
    ]
    assert json.loads((finished / "run.json").read_text())["schema"] == 3
    assert derived(finished)["audit.parquet"] == first["audit.parquet"]
