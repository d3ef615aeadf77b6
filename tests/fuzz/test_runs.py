"""Shards of a run that somebody damaged, or made: refused, or read as what they promise to be."""

import hashlib
import json
import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.inputs import ODD, ODD_TEXTS, damaged, damaged_text, fuzzed

from heatproof.errors import InputError
from heatproof.perturbation import Protocol
from heatproof.results.part import REFERENCE
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.log import read_log
from heatproof.runs.serialization import parquet_bytes
from heatproof.runs.store import LocalStore
from heatproof.studies.road.record import read_assignment
from heatproof.studies.road.shards import Shards
from heatproof.studies.road.stored import IMAGES, SEQUENCES

PROTOCOL = Protocol(regions=4, repeats=2)
METHOD, STEPS, COUNT = "lrp-epsilon", 3, 2


def tables():
    """Two images, one method and the random order, two repeats, three steps."""
    rows = [
        {
            "number": image, "image": f"{image}.png", "identity": f"{image:016x}", "target": 7, "method": method,
            "order": order, "repeat": repeat, "steps": list(range(STEPS + 1)), "scores": [3.0, 2.0, 1.0, 0.5],
            "regions": [2, 0, 1], "removed_fraction": [0.0, 0.25, 0.5, 0.75],
        }
        for method, order in ((METHOD, "morf"), (REFERENCE, "random"), (METHOD, "lerf"))
        for image in range(COUNT)
        for repeat in range(2)
    ]  # fmt: skip
    images = [
        {"number": image, "image": f"{image}.png", "class": "cat", "method": METHOD, "kept": 1.0, "peak": 0.1,
         "absorbed": [0.0, 0.5], "AOPC": 1.5}
        for image in range(COUNT)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SEQUENCES), pl.DataFrame(images, schema=IMAGES | {"AOPC": pl.Float64})


MARKER = {
    "schema": 3,
    "number": 0,
    "images": COUNT,
    "part": {
        "methods": [METHOD],
        "lerf": [METHOD],
        "reference": True,
        "places": {METHOD: ["relu", "conv"]},
        "measures": {METHOD: ["AOPC"]},
        "engine": {"name": "full", "nodes_on_windows": 0, "nodes": 5, "reason": "asked for"},
    },
    "positions": [0, 1],
    "skipped": [["2.png", "broken"]],
    "evaluations": 24,
    "heatmap_seconds": 0.1,
    "perturbation_seconds": 0.2,
    "seconds": 0.4,
    "worker": "host:1",
}
DATA = tuple(map(parquet_bytes, tables()))


@pytest.fixture
def store(judge):
    return LocalStore(judge.folder / "RUN")


def written(store, sequences=DATA[0], images=DATA[1], marker=None):
    """A shard as given, whose checksums fit."""
    store.put("shards/00000.parquet", sequences)
    store.put("shards/00000.images.parquet", images)
    found = {
        name: hashlib.blake2b(data, digest_size=16).hexdigest()
        for name, data in zip(("", ".images"), (sequences, images), strict=True)
    }
    text = (
        json.dumps(MARKER | {"objects": found}) if marker is None else marker(json.dumps(MARKER | {"objects": found}))
    )
    store.put("shards/00000.json", text.encode("utf-8", "surrogatepass"))


def look(judge, store, kind):
    with judge.judging(kind):
        shards = Shards(store, 5, 3)
        assert shards.whole() == [0]
        whole = shards.read(0, PROTOCOL)
        assert set(whole.positions) <= {0, 1, 2}
        if whole.part is not None:
            assert all(isinstance(name, str) for name in (*whole.part.names, *whole.part.classes))
            assert len(whole.part.names) == len(whole.positions)
            for curves in (*whole.part.curves.values(), *whole.part.lerf.values()):
                check(curves, len(whole.positions))
            for measures in whole.part.measured.values():
                assert all(np.isfinite(values).all() for values in measures.values())


def check(curves, most):
    """What curves promise, written out once more."""
    count = len(curves.images)
    assert 0 < count <= most
    assert all(isinstance(identity, str) for identity in curves.images)
    assert curves.scores.shape == curves.scored.shape
    assert curves.scores.shape[:2] == (count, PROTOCOL.repeats)
    assert curves.scores.isfinite().all()
    assert int(curves.scored.max()) <= curves.steps
    assert 0 <= int(curves.targets.min()) <= int(curves.targets.max()) <= 2**24
    for order in curves.orders.flatten(0, 1).tolist():
        assert min(order) >= 0
        assert len(set(order)) == len(order)
    removed = curves.removed_fraction
    assert ((removed >= 0) & (removed <= 1 + 1e-9)).all()
    assert (removed.diff(dim=-1) >= 0).all()


def test_the_seed_is_a_shard(judge, store):
    written(store)
    whole = Shards(store, 5, 3).read(0, PROTOCOL)
    assert whole.part.curves[METHOD].scores.shape == (2, 2, 4)
    assert np.array_equal(whole.part.measured[METHOD]["AOPC"], [1.5, 1.5])


@fuzzed(60)
@given(data=st.data())
def test_damaged_tables(judge, store, data):
    """Damage that the checksum finds, and damage that fits it."""
    which = data.draw(st.integers(0, 1))
    content = data.draw(damaged(DATA[which], near_the_end=1500))
    if data.draw(st.integers(0, 4)) == 0:
        written(store)
        store.put(("shards/00000.parquet", "shards/00000.images.parquet")[which], content)
    else:
        written(store, **{("sequences", "images")[which]: content})
    look(judge, store, "shards' tables")


@fuzzed(80)
@given(data=st.data())
def test_damaged_markers(judge, store, data):
    written(store, marker=lambda text: data.draw(damaged_text(text.replace(", ", ",\n"))))
    look(judge, store, "shards' markers")


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.sampled_from(ODD), st.integers(-3, 5), st.floats(), st.sampled_from(ODD_TEXTS)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["", METHOD, "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@fuzzed(100)
@given(key=st.sampled_from([*MARKER, *(f"part.{key}" for key in MARKER["part"])]), value=ANYTHING)
def test_markers_that_say_something_else(judge, store, key, value):
    outer, _, inner = key.partition(".")
    changed = {**MARKER, outer: {**MARKER["part"], inner: value} if inner else value}
    written(store, marker=lambda text: json.dumps(json.loads(text) | changed))
    look(judge, store, "shards' markers")


@st.composite
def changed_tables(draw):
    """The tables with other cells, types, columns or rows."""
    frames = list(tables())
    which = draw(st.integers(0, 1))
    frame = frames[which]
    column = draw(st.sampled_from(frame.columns))
    kind = draw(st.sampled_from(["drop", "rename", "cast", "null", "rows", "twice", "value", "value", "value"]))
    if kind == "drop":
        frame = frame.drop(column)
    elif kind == "rename":
        frame = frame.rename({column: "else"})
    elif kind == "cast":
        frame = frame.with_columns(pl.lit("text").alias(column))
    elif kind == "null":
        frame = frame.with_columns(pl.lit(None, dtype=frame.schema[column]).alias(column))
    elif kind == "rows":
        frame = frame.sample(
            draw(st.integers(0, len(frame))), shuffle=draw(st.booleans()), seed=draw(st.integers(0, 9))
        )
    elif kind == "twice":
        frame = pl.concat([frame, frame])
    else:
        values = frame[column].to_list()
        row = draw(st.integers(0, len(values) - 1))
        numbers = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-2, 4))
        cells = {
            pl.String: st.sampled_from([*ODD_TEXTS[:6], METHOD, REFERENCE, "lerf"]),
            pl.List: st.one_of(st.none(), st.lists(st.one_of(st.none(), numbers), max_size=5)),
        }
        values[row] = draw(cells.get(frame.schema[column].base_type(), st.one_of(st.none(), numbers)))
        frame = frame.with_columns(pl.Series(column, values, dtype=frame.schema[column], strict=False))
    frames[which] = frame
    return frames


@fuzzed(100)
@given(frames=changed_tables())
def test_tables_that_say_something_else(judge, store, frames):
    written(store, *map(parquet_bytes, frames))
    look(judge, store, "shards' tables")


def arrays(store):
    """Heatmaps of three images, and two pictures; the files by name."""
    made = MapArrays(store)
    made.make([METHOD], (3, 6, 6), at_once=2, schema=3, shown=[0, 2])
    made.write(range(2), [0, 1], {METHOD: np.ones((2, 6, 6), np.float32)})
    made.write_pictures({0: np.zeros((3, 6, 6), np.float32), 1: np.ones((3, 6, 6), np.float32)})
    return {name: store.get(name) for name in store.names("heatmaps.zarr/")}


def test_the_seed_has_heatmaps(judge):
    store = LocalStore(judge.folder / "MAPS0")
    assert len(arrays(store)) >= 4
    assert MapArrays(store).read([0, 1])[METHOD].shape == (2, 6, 6)
    assert {place: one.shape for place, one in MapArrays(store).pictures().items()} == {0: (3, 6, 6)}


@pytest.mark.parametrize(
    ("name", "axes", "message"),
    [
        ("method-0", [3, 10**6, 10**6], "a row of 'method-0' lies in 27,777,888,889 chunks"),
        ("pictures", [10**9, 3, 60, 60], "ValueError: expected pictures to be"),
        ("pictures", [2, 3, 10**6, 10**6], "a row of 'pictures' lies in"),
    ],
)
def test_arrays_larger_than_any_memory_are_refused(judge, name, axes, message):
    store = LocalStore(judge.folder / "LARGE")
    described = json.loads(arrays(store)[f"heatmaps.zarr/{name}/zarr.json"])
    described["shape"] = axes
    store.put(f"heatmaps.zarr/{name}/zarr.json", json.dumps(described).encode())
    with pytest.raises(InputError, match=f"cannot be read: {message}"):
        MapArrays(store).read([0]) if name == "method-0" else MapArrays(store).pictures()
    shutil.rmtree(judge.folder / "LARGE")


@fuzzed(60)
@given(data=st.data())
def test_damaged_heatmaps(judge, data):
    store = LocalStore(judge.folder / "MAPS")
    files = arrays(store)
    name = data.draw(st.sampled_from(sorted(files)))
    whole = files[name]
    content = data.draw(
        damaged_text(whole.decode()).map(lambda text: text.encode("utf-8", "surrogatepass"))
        if name.endswith(".json") and data.draw(st.booleans())
        else damaged(whole)
    )
    store.put(name, content)
    for read in (lambda: MapArrays(store).read([0, 1, 2]), MapArrays(store).pictures):
        with judge.judging("heatmaps in Zarr"):
            read()
    shutil.rmtree(judge.folder / "MAPS")


@fuzzed(60)
@given(content=damaged(b'{"time": "2026-11-23T17:00:00Z", "event": "shard", "number": 3}\n' * 4))
def test_damaged_logs(judge, store, content):
    store.put("log.jsonl", content)
    with judge.judging("logs"):
        assert all(isinstance(event.event, str) for event in read_log(store))


RECORD = {
    "schema": 3,
    "notes": ["its weights are not trained"],
    "study": "compare",
    "costs": [],
    "configuration": {"steps": 3},
    "shard_size": 32,
    "versions": {},
    "machine": {},
    "network": {"name": "tiny", "source": "", "weights_blake2b": "0", "preprocessing": {}, "notes": []},
    "data": {"name": "folder", "members": 5, "fingerprint": "0"},
    "plan": {
        "methods": [METHOD],
        "lerf": True,
        "measures": [],
        "rule": None,
        "protocol": {
            "replacement": "uniform", "regions": 4, "steps": 3, "repeats": 2, "seed": 0, "score": "logit",
            "engine": "full", "memory": 2**30, "scored": None,
        },
    },
}  # fmt: skip


def test_the_seed_is_a_record(judge, store):
    store.put("run.json", json.dumps(RECORD).encode())
    assert read_assignment(store).protocol.repeats == 2


@fuzzed(200)
@given(data=st.data())
def test_damaged_records(judge, store, data):
    record = json.loads(json.dumps(RECORD))
    if data.draw(st.booleans()):
        inner = data.draw(st.sampled_from([record, record["plan"], record["plan"]["protocol"], record["data"]]))
        inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(ANYTHING)
        text = json.dumps(record)
    else:
        text = data.draw(damaged_text(json.dumps(record, indent=1)))
    store.put("run.json", text.encode("utf-8", "surrogatepass"))
    with judge.judging("records of runs"):
        read_assignment(store)
