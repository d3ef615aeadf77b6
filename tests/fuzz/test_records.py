"""Any value in any record of a run: the run is read, or refused with an InputError, and ends no list of runs."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.inputs import ODD, ODD_TEXTS, damaged_text, fuzzed
from tests.records import FAILED, LOCK, SAVED

from heatproof.errors import InputError
from heatproof.runs.lock import locked
from heatproof.runs.planted_record import Planted
from heatproof.runs.progress import read_progress
from heatproof.runs.run_list import runs_below
from heatproof.runs.store import LocalStore
from heatproof.studies.planting.source import inside
from heatproof.studies.road.reading import read_comparison

WHOLE = Path(__file__).parent.parent / "studies" / "schema-2"
FAILURE = FAILED | {"shard": 1}
LOG = [
    {"time": "2026-11-23T10:00:00+00:00", "event": "start"},
    {"time": "2026-11-23T10:00:10+00:00", "event": "shard done", "shard": 0, "images": 2},
    {"time": "2026-11-23T10:00:12+00:00", "event": "shard done", "shard": 1},
]
STUDIES = {
    "assess": SAVED | {"topology": "t", "checkpoints": {"a": {}}},
    "replacements": SAVED | {"study": "replacements", "method": "sobel", "skipped": [{"image": "x", "reason": "y"}]},
    "complexity": SAVED | {"study": "complexity", "methods": ["sobel"], "images": ["0.png", "1.png"]},
    "compare": SAVED | {"study": "compare", "methods": ["sobel"]},
}
PLACE = {
    "picture": 0,
    "number": 0,
    "image": "0.png",
    "target": 1,
    "box": [0, 0, 2, 3],
    "probability": 0.5,
    "seen": True,
}
PLANTED = {
    "channels": 3, "height": 4, "width": 6, "places": [PLACE, PLACE | {"image": "1.png", "box": [2, 3, 4, 6]}],
    "photographs": ["0.png", "1.png"], "skipped": [["2.png", "broken"]],
    "patch": {"seed": 0, "reads": "scores", "weight": [0.5], "bias": 1.0, "accuracy": 1.0, "fitted_on": 4},
}  # fmt: skip
IN_THE_RUN = ("run.json", "shards/00000.json", "failed/00001.json", "log.jsonl", "lock")

SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(ODD), st.integers(-3, 5), st.sampled_from([2**31, 2**62, -1, 10**8]),
    st.floats(), st.sampled_from(ODD_TEXTS), st.sampled_from(["yes", "\ud800", "\x1b[2J", "x" * 30_000]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["", "a", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def mutated(draw, record):
    """The record with one to three values changed, taken away, doubled, or put elsewhere."""
    found = {"all": json.loads(json.dumps(record))}
    for _ in range(draw(st.integers(1, 3))):
        inside, key = found, "all"
        while (below := inside[key]) and isinstance(below, list | dict) and draw(st.integers(0, 5)):
            inside, key = below, draw(st.sampled_from(sorted(below) if isinstance(below, dict) else range(len(below))))
        kind = draw(st.sampled_from(["change", "change", "change", "away", "wrap", "twice"]))
        if kind == "change" or inside is found:
            inside[key] = draw(VALUES)
        elif kind == "wrap":
            inside[key] = [inside[key]]
        elif kind == "away":
            del inside[key]
        elif isinstance(inside, list):
            inside.insert(key, inside[key])
        if "all" not in found:
            break
    return found.get("all")


@pytest.fixture(scope="module")
def whole():
    """The records of a whole run, as JSON."""
    read_comparison(LocalStore(WHOLE))  # what is imported on the way starts processes and writes caches
    return {
        "run.json": json.loads((WHOLE / "run.json").read_text()),
        "shards/00000.json": json.loads((WHOLE / "shards" / "00000.json").read_text()),
        "failed/00001.json": FAILURE,
        "log.jsonl": LOG,
        "lock": LOCK,
    }


def as_bytes(name, content):
    lines = content if name == "log.jsonl" and isinstance(content, list) else [content]
    return "\n".join(map(json.dumps, lines)).encode()


@pytest.fixture
def run(judge, whole):
    folder = judge.folder / "RUNS" / "whole"
    shutil.copytree(WHOLE, folder)
    for name in ("failed/00001.json", "log.jsonl", "lock"):
        LocalStore(folder).put(name, as_bytes(name, whole[name]))
    yield LocalStore(folder)
    shutil.rmtree(judge.folder / "RUNS")


def look(judge, store, kind):
    """Every reader of a run, each judged for itself; whether one refused it."""
    refused = 0
    for read in (read_progress, read_comparison):
        with judge.judging(kind):
            try:
                read(store)
            except InputError:
                refused += 1
                raise
    with judge.judging(kind):
        (listed,) = runs_below(store.path.parent).runs
        assert listed.state in ("finished", "stopped", "running", "unreadable")
    return refused


def test_the_seed_is_whole(judge, run):
    assert look(judge, run, "records") == 0
    progress = read_progress(run)
    assert progress.problems == ()
    assert progress.pace.shards == 2


@fuzzed(100)
@given(data=st.data(), name=st.sampled_from(IN_THE_RUN))
def test_mutated_records_of_a_run(judge, run, whole, data, name):
    before = (WHOLE / name).read_bytes() if (WHOLE / name).is_file() else as_bytes(name, whole[name])
    run.put(name, as_bytes(name, data.draw(mutated(whole[name]))))
    if name == "lock":
        run.delete(name)  # one that is no lock is not taken
        with locked(run.path), judge.judging("records"):
            run.put(name, as_bytes(name, data.draw(mutated(whole[name]))))
            read_progress(run)
    look(judge, run, "records")
    run.put(name, before)


@fuzzed(40)
@given(data=st.data(), name=st.sampled_from(IN_THE_RUN))
def test_damaged_records_of_a_run(judge, run, whole, data, name):
    before = (WHOLE / name).read_bytes() if (WHOLE / name).is_file() else as_bytes(name, whole[name])
    run.put(name, data.draw(damaged_text(before.decode())).encode("utf-8", "surrogatepass"))
    look(judge, run, "records")
    run.put(name, before)


@fuzzed(80)
@given(data=st.data(), study=st.sampled_from(sorted(STUDIES)))
def test_mutated_records_of_saved_studies(judge, data, study):
    folder = judge.folder / "SAVED"
    LocalStore(folder / "whole").put("run.json", as_bytes("run.json", data.draw(mutated(STUDIES[study]))))
    with judge.judging("records"):
        (listed,) = runs_below(folder).runs
        assert listed.state in ("finished", "stopped", "unreadable")
    shutil.rmtree(folder)


@fuzzed(100)
@given(data=st.data())
def test_mutated_records_of_what_was_planted(judge, data):
    with judge.judging("records"):
        planted = Planted.read(as_bytes("planted.json", data.draw(mutated(PLANTED))), "planted.json")
        assert inside(planted, planted.explained).any(dim=(1, 2)).all()


def test_what_was_planted_is_read():
    assert len(Planted.read(as_bytes("planted.json", PLANTED), "planted.json").explained) == 2


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_saved_studies_are_listed(tmp_path, study):
    LocalStore(tmp_path).put("run.json", as_bytes("run.json", STUDIES[study]))
    (listed,) = runs_below(tmp_path).runs
    assert (listed.study, listed.state, listed.images, listed.verdict) == (
        study, "finished", 2, "Nothing.",
    )  # fmt: skip
