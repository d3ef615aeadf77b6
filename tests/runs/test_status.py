"""How far a run is: from runs made by hand, whole, half done, and full of garbage."""

import json
import os
import re
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.records import FAILED, PART, RUN, marker, of_data
from typer.testing import CliRunner

from heatproof.cli.application import app, main
from heatproof.cli.output import output
from heatproof.errors import InputError
from heatproof.runs.lock import locked
from heatproof.runs.progress import WorkerTotals, read_progress
from heatproof.runs.records import FailureRecord
from heatproof.runs.store import LocalStore, open_store


def without(record, key):
    return {name: value for name, value in record.items() if name != key}


MARKER = marker(4, 6, 0)
LOG = """
{"time": "2026-11-23T10:00:00+00:00", "event": "start"}
{"time": "2026-11-23T10:00:10+00:00", "event": "shard done", "shard": 0}
{"time": "2026-11-23T12:00:00+00:00", "event": "resume"}
{"time": "2026-11-23T13:00:10+01:00", "event": "shard done", "shard": 1}
{"time": "2026-11-23T12:00:15+00:00", "event": "shard failed", "shard": 3}
{"time": "2026-11-23T12:00:20+00:00", "event": "shard done", "shard": 2}
"""


def as_json(content):
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def made(store, objects=(), log=LOG):
    """A run of five shards: 0, 1 and 2 are whole, 3 is set aside, 4 is left."""
    files = {
        "run.json": RUN,
        "shards/00000.json": marker(0),
        "shards/00000.parquet": b"PAR1",
        "shards/00001.json": marker(1, worker="host:2"),
        "shards/00002.json": marker(2, 16, 0, seconds=4),
        "shards/00004.parquet": b"left by a killed worker",
        "failed/00003.json": FAILED,
    }
    for name, content in (files | dict(objects)).items():
        store.put(name, as_json(content))
    if isinstance(store, LocalStore):
        (store.path / "log.jsonl").write_text(log)
    return store


@pytest.fixture
def run(tmp_path):
    return made(LocalStore(tmp_path / "run"))


def status(*arguments):
    return CliRunner().invoke(app, ["status", *map(str, arguments)], env={"COLUMNS": "300"})


def test_a_run_that_stopped(run):
    progress = read_progress(run)
    assert (progress.study, progress.data, progress.state, progress.holder) == ("compare", "made", "stopped", None)
    assert (progress.members, progress.shards, progress.whole, progress.left) == (70, 5, 3, 1)
    assert progress.failed == (FailureRecord(**FAILED),)
    assert (progress.images, progress.skipped, progress.evaluations, progress.seconds) == (46, 2, 3000, 20.0)
    assert progress.workers == (WorkerTotals("host:1", 2, 31, 12.0), WorkerTotals("host:2", 1, 15, 8.0))
    assert progress.problems == ()


def test_the_pace_is_that_of_the_last_session(run):
    """Two shards with 32 images in 20 seconds since it was continued; one shard is left."""
    progress = read_progress(run)
    assert (progress.pace.shards, progress.pace.images, progress.pace.seconds) == (2, 32, 20.0)
    assert progress.images_per_second == 1.6
    assert progress.seconds_left == 10.0


def test_what_the_command_says(run):
    result = status(run.path)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"run          {run.path}: compare on made"
    assert lines[1:6] == [
        "state        not finished, and no process writes it: give the same command again to resume",
        "shards       3 of 5 done, 1 failed, 1 left",
        "images       46 of 70 done, 2 skipped",
        "work         3,000 evaluations, 20 s of computing",
        lines[5],
    ]
    assert re.fullmatch(r"rate         1\.6 images a second since 2026-11-23 12:00 UTC; last shard .+ ago", lines[5])
    assert lines[6:] == [
        "time left    10 s",
        "worker       host:1: 2 shards, 31 images in 12 s",
        "worker       host:2: 1 shard, 15 images in 8.0 s",
        "failed       shard 3 (tries: 3; last on host:2): ValueError: no",
        "  at line 3",
    ]


@pytest.fixture
def printed(monkeypatch, capsys):
    """What ``heatproof status --json`` prints."""

    def call(path):
        monkeypatch.setattr(sys, "argv", ["heatproof", "status", str(path), "--json"])
        with pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    yield call
    output.begin(as_json=False)  # one process is one command, elsewhere


def test_everything_printed(run, printed):
    described = printed(run.path)
    assert described["pace"]["since"] == "2026-11-23T12:00:00+00:00"
    assert described["failed"] == [FAILED]
    assert (described["whole"], described["left"], described["seconds_left"]) == (3, 1, 10.0)
    assert described["images_per_second"] == 1.6


def test_who_writes_it(run, printed):
    with locked(run.path):
        progress = read_progress(run)
        assert (progress.state, progress.holder.pid) == ("running", os.getpid())
        assert f"being written by process {os.getpid()} on " in status(run.path).stdout
        assert printed(run.path)["holder"]["pid"] == os.getpid()
    assert read_progress(run).state == "stopped"


def test_a_finished_run(run):
    made(run, {"run.json": RUN | {"verdict": ["x"]}})
    progress = read_progress(run)
    assert (progress.state, progress.seconds_left) == ("finished", 0.0)
    text = status(run.path).stdout
    assert "state        finished\n" in text
    assert "time left" not in text


def test_a_run_that_has_just_begun(tmp_path):
    store = LocalStore(tmp_path)
    store.put("run.json", as_json(RUN))
    progress = read_progress(store)
    assert (progress.whole, progress.left, progress.pace, progress.seconds_left) == (0, 5, None, None)
    text = status(tmp_path).stdout
    assert "rate         not known yet" in text
    assert "time left    not known yet" in text


def test_a_run_under_a_url(tmp_path):
    store = made(open_store(f"memory://{tmp_path.as_posix()}/run"))
    store.put("log/1.json", b'{"time": "2026-11-23T10:00:00+00:00", "event": "start"}')
    store.put("log/2.json", b'{"time": "2026-11-23T10:00:10+00:00", "event": "shard done", "shard": 0}')
    progress = read_progress(store)
    assert (progress.state, progress.whole, progress.pace.images) == ("unknown", 3, 16)
    assert "a URL has no lock that would tell" in status(store.description).stdout


def test_a_shard_that_was_set_aside_and_done_later_is_whole(run):
    run.put("shards/00003.json", as_json(marker(3)))
    progress = read_progress(run)
    assert (progress.whole, progress.failed, progress.left) == (4, (), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a run: it has no run.json; give the folder or URL of a run"),
        (b"", "run.json of .*: it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"1" * 10_000, "it is not JSON"),
        ([], "expected an object, got a list"),
        ({}, "has schema None; this version reads 2 and 3"),
        (RUN | {"schema": 1}, "has schema 1; this version reads 2 and 3"),
        (RUN | {"data": "x"}, "data must be a valid dictionary .*, got 'x'"),
        (of_data(members=-1), "data.members must be greater than or equal to 1, got -1"),
        (of_data(members=10**4000), "members must be .*, got a number beyond all bounds"),
        (RUN | {"data": without(RUN["data"], "name")}, "data.name is missing"),
        (RUN | {"shard_size": True}, "shard_size must be a valid integer, got True"),
        (
            RUN | {"study": ["\x1b[31m"]},
            "study must be 'compare', 'complexity', 'planted', 'stability' or 'randomisation', got a list",
        ),
        (RUN | {"schema": "\x1b[31m"}, "has schema '.x1b"),
    ],
)
def test_what_is_no_run(content, message, tmp_path):
    if content is not None:
        (tmp_path / "run.json").write_bytes(as_json(content))
    with pytest.raises(InputError, match=message):
        read_progress(LocalStore(tmp_path))
    assert isinstance(status(tmp_path).exception, InputError)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("shards/00004.json", b'{"images": 1', "is left out: it is not JSON"),
        ("shards/00004.json", marker(4, 6, 1), "a shard has at most 6 images, got 7"),
        ("shards/00004.json", marker(3, 6, 0), "it is the marker of shard 3"),
        ("shards/00004.json", MARKER | {"images": 5}, "it has 5 images and 6 different positions"),
        ("shards/00004.json", MARKER | {"positions": [*range(6)]}, "it has images that are not those of shard 4"),
        ("shards/00004.json", MARKER | {"positions": [64] * 6}, "it has 6 images and 1 different positions"),
        ("shards/00004.json", MARKER | {"objects": {}}, "it has 6 images and 0 tables"),
        ("shards/00004.json", MARKER | {"skipped": 3}, "skipped must be a valid tuple, got 3"),
        ("shards/00004.json", MARKER | {"seconds": -1}, "seconds must be greater than or equal to 0, got -1"),
        ("shards/00004.json", MARKER | {"seconds": float("nan")}, "seconds must be a finite number, got nan"),
        ("shards/00004.json", MARKER | {"worker": None}, "worker must be a valid string, got nothing"),
        ("shards/00004.json", MARKER | {"worker": "\ud800"}, "worker must be a valid string"),
        ("shards/00004.json", MARKER | {"part": PART | {"lerf": "yes"}}, "part.lerf must be a valid tuple, got 'yes'"),
        ("shards/00005.json", MARKER, "expected the number of a shard below 5"),
        ("shards/4.json", MARKER, "expected the number of a shard below 5"),
        ("shards/more/00004.json", MARKER, "expected the number of a shard below 5"),
        ("failed/00004.json", FAILED | {"shard": 4, "error": None}, "error must be a valid string, got nothing"),
        ("failed/00004.json", FAILED, "it is the failure of shard 3"),
        ("failed/99999.json", FAILED, "expected the number of a shard below 5"),
    ],
)
def test_records_that_cannot_be_used_are_left_out_and_named(name, content, message, run):
    before = read_progress(run)
    run.put(name, as_json(content))
    after = read_progress(run)
    assert replace(after, problems=()) == before
    (problem,) = after.problems
    assert problem.startswith(f"{name} is left out: ")
    assert message in problem
    result = status(run.path)
    assert result.exit_code == 0
    assert f"warning: {problem}" in result.stderr


@pytest.mark.parametrize(
    ("start", "done", "shard"),
    [
        ("yesterday", "2026-11-23T10:00:10Z", 0),
        ("2026-11-23T10:00:00", "2026-11-23T10:00:10", 0),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", 0),
        ("2026-11-23T10:00:00Z", "2026-11-23T09:00:00Z", 0),
        ("0001-01-01T00:00:00+23:00", "2026-11-23T09:00:00Z", 0),
        ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", [0]),
        ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", 4),
    ],
)
def test_a_log_that_tells_no_pace(start, done, shard, tmp_path):
    events = [{"time": start, "event": "start"}, {"time": done, "event": "shard done", "shard": shard}]
    for log in ("\n".join(map(json.dumps, events)), json.dumps(events[1]), ""):
        progress = read_progress(made(LocalStore(tmp_path), log=log))
        assert (progress.pace, progress.seconds_left, progress.whole) == (None, None, 3)
    assert status(tmp_path).exit_code == 0


def test_texts_do_not_steer_the_terminal(run):
    run.put("run.json", as_json(of_data(name="\x1b[2J")))
    run.put("shards/00000.json", as_json(marker(0, worker="\x1b[2J")))
    run.put("failed/00003.json", as_json(FAILED | {"error": "\x1b[2Jgone\r\x07"}))
    with locked(run.path):
        (run.path / "lock").write_text(json.dumps({"pid": 1, "host": "\x1b[2J", "since": "x"}))
        text = status(run.path).output
    assert "\ufffd[2Jgone\ufffd\ufffd" in text
    assert "\x1b" not in text + status(run.path, "--json").output


def test_many_failures_are_not_all_printed(tmp_path):
    store = made(LocalStore(tmp_path), {"run.json": of_data(members=16_000)})
    for number in range(100, 150):
        store.put(f"failed/{number:05d}.json", as_json(FAILED | {"shard": number, "error": "broke"}))
    text = status(tmp_path).stdout
    assert text.count("broke") == 19
    assert "… and 31 more failed shards; --json has all" in text


def test_a_record_that_goes_away_while_it_is_read(run, monkeypatch):
    def names(prefix="", original=run.names):
        return original(prefix) + (["failed/00004.json"] if prefix == "failed/" else [])

    monkeypatch.setattr(run, "names", names)
    assert read_progress(run).failed[0].shard == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def spoiled(record):
    """The record with some values exchanged, or any bytes."""
    keys = st.dictionaries(st.sampled_from(sorted(record)), JSON, max_size=3)
    return keys.map(lambda changes: json.dumps(record | changes).encode()) | st.binary(max_size=30)


@settings(max_examples=50, deadline=None)
@given(
    run_json=spoiled(RUN), marker=spoiled(MARKER), failed=spoiled(FAILED),
    log=st.lists(spoiled({"time": "2026-11-23T10:00:00Z", "event": "resume", "shard": 0}), max_size=3),
    lock=spoiled({"pid": 1, "host": "h", "since": "s"}),
)  # fmt: skip
def test_no_run_crashes_the_command(tmp_path_factory, run_json, marker, failed, log, lock):
    folder = tmp_path_factory.mktemp("spoiled")
    objects = {"run.json": run_json, "shards/00004.json": marker, "failed/00003.json": failed, "lock": lock}
    made(LocalStore(folder), objects)
    (folder / "log.jsonl").write_bytes(b"\n".join([LOG.encode(), *log]))
    for arguments in ([folder], [folder, "--json"]):
        result = status(*arguments)
        assert result.exception is None or isinstance(result.exception, InputError), result.exception
        assert result.exit_code == 0 or result.exception


def test_the_disk_s_refusal_has_its_exit_code(monkeypatch, capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("heatproof.runs.store.read_regular", refused)
    monkeypatch.setattr("sys.argv", ["heatproof", "status", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 74
    assert (
        "run.json' could not be read: Permission denied; choose a folder that you may read" in capsys.readouterr().err
    )
