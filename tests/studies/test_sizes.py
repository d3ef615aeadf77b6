"""What a record claims costs nothing: members that do not exist, and files that are larger than any run writes."""

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.records import RUN, of_data

import heatproof as hp
from heatproof.json_objects import MOST_VALUES, json_object
from heatproof.runs.progress import read_progress
from heatproof.runs.records import MOST_MEMBERS
from heatproof.runs.run_list import runs_below
from heatproof.runs.store import LocalStore
from heatproof.studies.racing import Race
from heatproof.studies.road.reading import read_comparison
from heatproof.studies.road.record import read_assignment

WHOLE = Path(__file__).parent / "schema-2"
HUGE = 40 * 2**30  # bytes


@pytest.fixture
def run(tmp_path):
    return LocalStore(shutil.copytree(WHOLE, tmp_path / "run"))


def test_members_that_do_not_exist_cost_no_memory(tmp_path):
    store = LocalStore(tmp_path)
    plan = RUN["plan"] | {"rule": {"until": "signs", "indifference": 1}}
    store.put("run.json", json.dumps(of_data(members=MOST_MEMBERS) | {"plan": plan}).encode())

    def look():
        assignment = read_assignment(store)
        race = Race({"a": ["random order"]}, assignment.wanted.rule, given=len(assignment.order))
        race.add({"a": np.arange(40.0), "random order": np.zeros(40)}, np.zeros(40))
        race.look()
        assert (assignment.sink.whole(), len(assignment.sink)) == ([], MOST_MEMBERS // 8)
        assert read_progress(store).left == MOST_MEMBERS // 16

    look()  # imports what it needs
    tracemalloc.start()
    try:
        look()
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("run.json", read_progress),
        ("run.json", read_comparison),
        ("shards/00000.json", read_comparison),
        ("shards/00000.parquet", read_comparison),
        ("failed/00001.json", read_comparison),
        ("audit/audit.json", read_comparison),
        ("statistics.safetensors", read_comparison),
    ],
)
def test_a_file_larger_than_any_run_writes_is_refused_before_it_is_read(run, name, reader):
    run.put(name, b"{}")
    with (run.path / name).open("r+b") as file:
        file.truncate(HUGE)
    with pytest.raises(hp.InputError, match=r"has 42,949,672,960 bytes; expected at most"):
        reader(run)


@pytest.mark.parametrize("name", ["shards/00000.json", "failed/00001.json", "log.jsonl"])
def test_a_status_leaves_out_what_is_too_large(run, name):
    run.put(name, b"{}")
    with (run.path / name).open("r+b") as file:
        file.truncate(HUGE)
    (problem,) = read_progress(run).problems
    assert "is left out: " in problem
    assert "has 42,949,672,960 bytes" in problem


def test_a_list_goes_on_after_a_file_that_is_too_large(run):
    shutil.copytree(run.path, run.path.parent / "other")
    with (run.path / "run.json").open("r+b") as file:
        file.truncate(HUGE)
    assert {(found.name, found.state) for found in runs_below(run.path.parent).runs} == {
        ("run", "unreadable"), ("other", "finished"),
    }  # fmt: skip


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"0,", b'"",'])
def test_many_small_values_are_counted_before_they_are_made(unit):
    data = b'{"a": [' + unit * (MOST_VALUES + 1) + b"0]}"
    with pytest.raises(hp.InputError, match=r"run\.json: expected at most 5,000,000 values, it has more"):
        json_object(data, "run.json")
