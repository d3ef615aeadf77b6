"""Each event is one whole line, whoever else writes, dies or fills the disk."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatproof.errors import InputError
from heatproof.runs.log import RunLog, read_log
from heatproof.runs.objects import StoreError
from heatproof.runs.store import LocalStore, open_store


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return open_store(str(tmp_path / "run") if request.param == "folder" else f"memory://{tmp_path.as_posix()}/run")


def test_events_come_back_in_order_with_their_time(store):
    assert list(read_log(store)) == []
    log = RunLog(store)
    log.write("start", shards=3, names=["ä", "\ud800", "a\nb\r\u2028"], path=Path("x"))
    log.write("shard done", shard=0, seconds=0.5)
    log.write("finish")
    first, second, third = read_log(store)
    assert [first.event, second.event, third.event] == ["start", "shard done", "finish"]
    assert (first.names, first.path, second.shard) == (["ä", "\ud800", "a\nb\r\u2028"], "x", 0)
    times = [datetime.fromisoformat(event.time) for event in (first, second, third)]
    assert times == sorted(times)
    assert abs(times[0] - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_folder_has_one_line_per_event(tmp_path):
    store = LocalStore(tmp_path)
    for number in range(3):
        RunLog(store).write("shard done", shard=number)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["shard"] for line in lines] == [0, 1, 2]


TORN = [b'{"time": "2026-11-23T16:00:00+00:00", "eve', b'{"time": "x"', b"\0\0\0", b"\xff", b"{", b"[" * 5000]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_last_line_is_left_out_and_spoils_nothing(torn, tmp_path):
    store = LocalStore(tmp_path)
    RunLog(store).write("start")
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(torn)
    assert [event.event for event in read_log(store)] == ["start"]
    RunLog(store).write("resume")
    assert [event.event for event in read_log(store)] == ["start", "resume"]


@pytest.mark.parametrize("line", [b"null", b"[]", b'"x"', b"{}", b'{"time": 1, "event": "x"}', b'{"time": "t"}', b""])
def test_what_is_no_event_is_left_out(line, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(line + b'\n{"time": "t", "event": "start"}\n' + line)
    assert [(event.time, event.event) for event in read_log(LocalStore(tmp_path))] == [("t", "start")]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_log(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("log")
    (folder / "log.jsonl").write_bytes(content)
    RunLog(LocalStore(folder)).write("resume")
    assert [*read_log(LocalStore(folder))][-1].event == "resume"


WRITING = """
from heatproof.runs.log import RunLog
from heatproof.runs.store import LocalStore
import os
log = RunLog(LocalStore(run))
print("ready", flush=True)
input()
for number in range(200):
    log.write("shard done", worker=os.getpid(), shard=number, text="x" * (number * 37 % 9000))
print("done", flush=True)
"""


def test_lines_of_several_processes_never_mix(tmp_path, another_process):
    with (
        another_process(WRITING, tmp_path) as a,
        another_process(WRITING, tmp_path) as b,
        another_process(WRITING, tmp_path) as c,
    ):
        processes = (a, b, c)
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout.readline() == "done\n"
        pids = [process.pid for process in processes]
    events = list(read_log(LocalStore(tmp_path)))
    for pid in pids:
        assert [event.shard for event in events if event.worker == pid] == list(range(200))
    assert all(event.text == "x" * (event.shard * 37 % 9000) for event in events)


def test_a_log_that_leads_out_is_refused(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "mine").write_text("mine")
    (run / "log.jsonl").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link that leads out"):
        RunLog(LocalStore(run)).write("start")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_full_disk_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("os.write", lambda _, data: len(data) - 1)
    with pytest.raises(StoreError, match=r"log.jsonl' could not be written: No space left on device; make room"):
        RunLog(LocalStore(tmp_path)).write("start")
