"""One process writes a run; its lock goes with it, however it ends."""

import json
import os
import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from heatproof.errors import InputError
from heatproof.runs import lock
from heatproof.runs.lock import holder, locked
from heatproof.runs.objects import StoreError
from heatproof.runs.store import LocalStore

HOLDING = """
from heatproof.runs.lock import locked
with locked(run):
    print("held", flush=True)
    input()
print("given back", flush=True)
input()
"""


def test_a_second_process_is_refused_and_told_who_writes(tmp_path, another_process):
    run = tmp_path / "run"
    with another_process(HOLDING, run) as first:
        assert first.stdout.readline() == "held\n"
        who = holder(run)
        assert (who.pid, who.host) == (first.pid, socket.gethostname())
        assert abs(datetime.fromisoformat(who.since) - datetime.now(UTC)) < timedelta(minutes=1)
        expected = f"{str(run)!r} is being written by process {first.pid} on {who.host}, since {who.since}; wait for it"
        with pytest.raises(InputError, match=re.escape(expected)), locked(run):
            pass
        first.stdin.write("\n")
        first.stdin.flush()
        assert first.stdout.readline() == "given back\n"
        assert holder(run) is None
        with locked(run):
            assert holder(run).pid == os.getpid()
    assert holder(run) is None


def test_a_killed_process_holds_nothing(tmp_path, another_process):
    for _ in range(5):
        with another_process(HOLDING, tmp_path) as first:
            assert first.stdout.readline() == "held\n"
            first.kill()
            first.wait()
            assert json.loads((tmp_path / "lock").read_text())["pid"] == first.pid  # it said nothing at the end
            assert holder(tmp_path) is None
            with locked(tmp_path):
                pass


FORKING = """
import os, time
from heatproof.runs.lock import locked
with locked(run):
    child = os.fork()
    if child == 0:
        time.sleep(60)
    print(child, flush=True)
    input()
"""


def test_orphans_of_a_killed_process_hold_nothing(tmp_path, another_process):
    with another_process(FORKING, tmp_path) as parent:
        orphan = int(parent.stdout.readline())
        try:
            assert holder(tmp_path).pid == parent.pid
            parent.kill()
            parent.wait()
            os.kill(orphan, 0)  # it is there still
            with locked(tmp_path):
                pass
        finally:
            os.kill(orphan, 9)


ENDING_CHILD = """
import os, sys
from heatproof.runs.lock import locked
with locked(run):
    if os.fork() == 0:
        sys.exit()  # leaves the block as well
    os.wait()
    print("child ended", flush=True)
    input()
"""


def test_a_child_that_ends_takes_nothing_from_its_parent(tmp_path, another_process):
    with another_process(ENDING_CHILD, tmp_path) as parent:
        assert parent.stdout.readline() == "child ended\n"
        assert holder(tmp_path).pid == parent.pid


def test_the_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError, match="division"), locked(tmp_path):
        1 / 0  # noqa: B018
    with locked(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()} on"), locked(tmp_path):
        pass


CONTENDING = """
import sys, time
from heatproof.errors import InputError
from heatproof.runs.lock import locked
print("ready", flush=True)
input()
done = 0
while done < 20:
    try:
        with locked(run):
            inside = run / "inside"
            inside.touch(exist_ok=False)
            time.sleep(0.001)
            inside.unlink()
            done += 1
        time.sleep(0.001)
    except InputError:
        pass
print("alone each time", flush=True)
"""


def test_only_one_of_four_processes_is_inside_at_a_time(tmp_path, another_process):
    with (
        another_process(CONTENDING, tmp_path) as a,
        another_process(CONTENDING, tmp_path) as b,
        another_process(CONTENDING, tmp_path) as c,
        another_process(CONTENDING, tmp_path) as d,
    ):
        for process in (a, b, c, d):
            assert process.stdout.readline() == "ready\n"
        for process in (a, b, c, d):
            process.stdin.write("\n")
            process.stdin.flush()
        for process in (a, b, c, d):
            assert process.stdout.readline() == "alone each time\n"


ASKING = """
import time
from heatproof.runs.lock import holder
print("asking", flush=True)
while True:
    holder(run)
    time.sleep(0.001)
"""


def test_asking_does_not_keep_a_writer_out(tmp_path, another_process):
    with another_process(ASKING, tmp_path) as process:
        assert process.stdout.readline() == "asking\n"
        for _ in range(50):
            with locked(tmp_path):
                time.sleep(0.001)


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"[]", b'{"pid": null}', b"[" * 5000, b'{"pid": "x", "host": 1}'])
def test_garbage_in_a_lock_is_an_unknown_holder(content, tmp_path):
    (tmp_path / "lock").write_bytes(content)
    assert holder(tmp_path) is None
    (tmp_path / "lock").unlink()
    with locked(tmp_path):
        (tmp_path / "lock").write_bytes(content)
        assert str(holder(tmp_path)) == "process ? on an unknown host, since an unknown time"
        with pytest.raises(InputError, match="is being written by process"), locked(tmp_path):
            pass


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_of_that_name_that_is_no_lock_is_kept(kind, tmp_path):
    theirs = tmp_path / ("lock" if kind == "file" else "notes")
    theirs.write_text("theirs")
    if kind == "link":
        (tmp_path / "lock").symlink_to("notes")
    with pytest.raises(InputError, match="lock' is in the way, and was not written by heatproof"), locked(tmp_path):
        pass
    assert theirs.read_text() == "theirs"


def test_a_lock_that_a_power_failure_emptied_is_taken(tmp_path):
    (tmp_path / "lock").write_bytes(b"\0" * 80)
    with locked(tmp_path):
        pass


def test_a_lock_whose_folder_was_replaced_meanwhile_is_not_taken(monkeypatch, tmp_path):
    def late(*given, **options):
        (tmp_path / "run").rename(tmp_path / "replaced")
        return flocked(*given, **options)

    flocked = lock._flocked
    monkeypatch.setattr(lock, "_flocked", late)
    with pytest.raises(InputError, match="is being written by"), locked(tmp_path / "run"):
        pass


def test_asking_changes_nothing(tmp_path):
    assert holder(tmp_path / "nothing") is None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_leads_out_or_is_no_file(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "mine").write_text("mine")
    (run / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=r"'lock' of .* is a link that leads out"), locked(run):
        pass
    assert (tmp_path / "mine").read_text() == "mine"
    (run / "lock").unlink()
    os.mkfifo(run / "lock")
    with pytest.raises(StoreError, match="lock' could not be locked: not a file"), locked(run):
        pass
    assert holder(run) is None


def test_a_place_where_no_folder_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"could not be locked: (Not a directory|File exists)"),
        locked(tmp_path / "file"),
    ):
        pass


def test_the_lock_is_an_object_like_others(tmp_path):
    """What lists or sweeps a run leaves the lock alone."""
    with locked(tmp_path):
        assert LocalStore(tmp_path).sweep() == 0
        assert holder(tmp_path).pid == os.getpid()
