"""Where a command writes: what others put there is kept, and a complete result never gives way to a partial one."""

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatproof.errors import InputError
from heatproof.runs.destination import begin_anew, destination
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.ledger import HEAD, LEDGER, begin_ledger, digest, ledger_of, unrecorded_files
from heatproof.runs.lock import locked
from heatproof.runs.log import RunLog, read_log
from heatproof.runs.objects import RECORD, StoreError
from heatproof.runs.output_paths import check_new_file, opened, write_file
from heatproof.runs.store import LocalStore


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def tree(folder):
    """Everything below a folder: what it is, and what it holds."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            held = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path.relative_to(folder))] = (stat.S_IFMT(path.lstat().st_mode), held)
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stopped(out, content, **options):
    """A command that fails after it has written something."""
    with destination(out, **options) as store:
        store.put(*content)
        raise ZeroDivisionError


def result(out, content=b"first", **options):
    with destination(out, **options) as store:
        store.put("table.csv", content)
        store.put("shards/00000.json", b"{}")
        store.put(RECORD, b"{}")


# Where a result appears


def test_a_folder_appears_complete(tmp_path):
    result(tmp_path / "a/b/RUN")
    assert names(tmp_path / "a/b") == ["RUN"]
    assert names(tmp_path / "a/b/RUN") == [RECORD, "shards", "table.csv", LEDGER]
    assert ledger_of(tmp_path / "a/b/RUN")["table.csv"] == {digest(b"first")}


def test_a_failure_leaves_nothing_not_even_the_folders_above(tmp_path):
    def failing(**options):
        with pytest.raises(ZeroDivisionError):
            stopped(tmp_path / "a/b/RUN", ("table.csv", b"half"), **options)

    failing()
    failing(resumes=True)
    assert names(tmp_path) == ["here"]
    (tmp_path / "a/b/RUN").mkdir(parents=True)
    failing(resumes=True)
    assert names(tmp_path / "a/b") == ["RUN"]
    assert names(tmp_path / "a/b/RUN") == []


def test_a_run_that_stops_is_left_to_be_resumed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        stopped(tmp_path / "RUN", (RECORD, b"{}"), resumes=True)
    with destination(tmp_path / "RUN", resumes=True) as store:
        assert store.get(RECORD) == b"{}"


def test_an_earlier_result_is_there_until_the_new_one_is_complete(tmp_path):
    out = tmp_path / "RUN"
    result(out)
    before = tree(out)
    with pytest.raises(InputError, match=r"exists already and is not empty; .* with --overwrite"):
        result(out, b"second")
    with pytest.raises(ZeroDivisionError):
        stopped(out, ("table.csv", b"second"), overwrite=True)
    assert tree(out) == before
    assert names(tmp_path) == ["RUN", "here"]
    with destination(out, overwrite=True) as store:
        store.put("table.csv", b"second")
        assert tree(out) == before
    assert (out / "table.csv").read_bytes() == b"second"
    assert names(tmp_path) == ["RUN", "here"]


def test_an_overwriting_run_that_stops_is_resumed_beside_the_earlier_one(tmp_path):
    out = tmp_path / "RUN"
    result(out, resumes=True)
    with pytest.raises(ZeroDivisionError):
        stopped(out, (RECORD, b"[1]"), overwrite=True, resumes=True)
    assert (out / RECORD).read_bytes() == b"{}"
    with destination(out, overwrite=True, resumes=True) as store:
        assert store.get(RECORD) == b"[1]"
        begin_anew(store)
        assert not store.exists(RECORD)
        store.put(RECORD, b"[2]")
    assert (out / RECORD).read_bytes() == b"[2]"
    assert names(tmp_path) == ["RUN", "here"]


@pytest.mark.parametrize("moment", ["before both", "between both", "after both"])
def test_a_command_killed_while_names_change_is_put_right(tmp_path, moment):
    out, new, old = tmp_path / "RUN", tmp_path / ".RUN.heatproof-new", tmp_path / ".RUN.heatproof-replaced"
    result(out)
    if moment != "before both":
        out.rename(old)
    result(tmp_path / "SECOND", b"second")
    (tmp_path / "SECOND").rename(new if moment != "after both" else out)
    result(out, b"third", overwrite=True)
    assert (out / "table.csv").read_bytes() == b"third"
    assert names(tmp_path) == ["RUN", "here"]


def test_a_killed_command_is_not_in_its_own_way(tmp_path):
    out = tmp_path / "RUN"
    with locked(out):
        pass
    begin_ledger(out)
    (out / f".{'0123' * 8}.partial").write_bytes(b"half")
    result(out)
    assert (out / "table.csv").read_bytes() == b"first"


def test_two_processes_do_not_write_one_place(tmp_path):
    with destination(tmp_path / "RUN"), pytest.raises(InputError, match="is being written by process"):
        result(tmp_path / "RUN")
    result(tmp_path / "RUN", resumes=True)
    assert names(tmp_path) == ["RUN", "here"]
    with locked(tmp_path / "RUN"), pytest.raises(InputError, match="is being written by process"):
        result(tmp_path / "RUN", overwrite=True)


def test_a_place_that_somebody_else_took_meanwhile_is_left(tmp_path):
    out = tmp_path / "RUN"
    holding = destination(out)
    holding.__enter__().put("table.csv", b"second")
    out.mkdir()
    (out / "theirs").write_bytes(b"theirs")
    with pytest.raises(StoreError, match=r"another process wrote there meanwhile; the result is complete, and lies in"):
        holding.__exit__(None, None, None)
    assert (out / "theirs").read_bytes() == b"theirs"
    assert next(tmp_path.glob(".RUN.heatproof-new-*/table.csv")).read_bytes() == b"second"


def test_a_run_that_began_meanwhile_is_left(tmp_path):
    out = tmp_path / "RUN"
    first = destination(out)
    first.__enter__().put("table.csv", b"first")
    with destination(out, resumes=True) as store:
        with pytest.raises(StoreError, match=r"is being written by process .*; the result is complete, and lies in"):
            first.__exit__(None, None, None)
        store.put(RECORD, b"{}")
    assert names(out) == ["lock", RECORD, LEDGER]
    assert next(tmp_path.glob(".RUN.heatproof-new-*/table.csv")).read_bytes() == b"first"


def test_a_result_that_appears_before_a_run_begins_is_left(tmp_path, monkeypatch):
    def late(folder):
        monkeypatch.undo()
        result(tmp_path / "OTHER")
        (tmp_path / "OTHER" / RECORD).unlink()  # as what explain writes
        (tmp_path / "OTHER").rename(folder)
        return locked(folder)

    monkeypatch.setattr("heatproof.runs.destination.locked", late)
    with pytest.raises(InputError, match="exists already and is not empty"):
        result(tmp_path / "RUN", resumes=True)
    assert (tmp_path / "RUN/table.csv").read_bytes() == b"first"


def test_an_overwriting_run_with_nothing_to_overwrite_is_resumed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        stopped(tmp_path / "RUN", (RECORD, b"[1]"), overwrite=True, resumes=True)
    with destination(tmp_path / "RUN", overwrite=True, resumes=True) as store:
        assert store.get(RECORD) == b"[1]"
    assert names(tmp_path) == ["RUN", "here"]


def test_a_place_where_the_earlier_result_cannot_go_is_refused_at_once(tmp_path, monkeypatch):
    out = tmp_path / "RUN"
    result(out)
    (tmp_path / ".RUN.heatproof-replaced/theirs").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=r"\.RUN\.heatproof-replaced' is in the way; move it away"):
        result(out, overwrite=True)
    monkeypatch.setattr("os.path.ismount", lambda path: path == out)
    (tmp_path / ".RUN.heatproof-replaced/theirs").rmdir()  # an empty one is what a killed command leaves
    with pytest.raises(InputError, match="is a mount point, which nothing can replace; choose a folder in it"):
        result(out, overwrite=True)
    assert tree(out).items() <= {key.removeprefix("RUN/"): value for key, value in before.items()}.items()


def test_a_result_that_was_moved_aside_stays_when_others_took_its_place(tmp_path):
    result(tmp_path / ".RUN.heatproof-replaced")
    (tmp_path / "RUN").mkdir()
    (tmp_path / "RUN/theirs").write_bytes(b"theirs")
    before = tree(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(InputError):
            result(tmp_path / "RUN", overwrite=overwrite)
    assert tree(tmp_path) == before


# What is refused


@pytest.mark.parametrize("resumes", [False, True])
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", r"expected a path or URL to write to \(--out\), got ''"),
        ("  ", "expected a path or URL to write to"),
        ("a\0b", "expected a path or URL to write to"),
        ("~nobody-of-that-name/RUN", "there is no user '~nobody-of-that-name'"),
        (".", "is the current folder or contains it"),
        ("..", "is the current folder or contains it"),
        ("../here", "is the current folder or contains it"),
        ("../link-here", "is the current folder or contains it"),
        ("/", "is the current folder or contains it"),
        ("../photos", "contains the input '../photos'"),
        ("../photos/RUN", "lies in the input '../photos'"),
        ("../link-photos/deep/RUN", "lies in the input '../photos'"),
        ("../data", "contains the input '../data/list.csv'"),
        ("../nowhere", "is a broken link"),
        ("../file", "is a file; expected a folder"),
        ("/dev/null", "is a file; expected a folder"),
        ("x" * 300, "cannot be written to: File name too long"),
        ("../full", "exists already and is not empty; choose another --out$"),
        ("../other-tool", "exists already and is not empty; choose another --out$"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_places_that_are_refused(tmp_path, out, message, overwrite, resumes):
    for name in ("photos", "data", "full", "other-tool"):
        (tmp_path / name).mkdir()
    (tmp_path / "data/list.csv").write_bytes(b"a")
    (tmp_path / "full/thesis.txt").write_bytes(b"a")
    (tmp_path / "other-tool/run.json").write_text(json.dumps({"study": "compare", "schema": 3}))
    (tmp_path / "file").write_bytes(b"a")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "link-here").symlink_to("here")
    (tmp_path / "link-photos").symlink_to("photos")
    before = tree(tmp_path)
    if overwrite:
        message = message.replace("exists already and is not empty; choose another --out$", "no written.jsonl")
        message = message.replace("is a file; expected a folder", "no written.jsonl")
    with pytest.raises(InputError, match=message):
        result(out, overwrite=overwrite, resumes=resumes, inputs=[Path("../photos"), Path("../data/list.csv")])
    assert tree(tmp_path) == before


def test_home_is_expanded_and_links_are_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    result("~/RUN")
    assert (tmp_path / "home/RUN/table.csv").read_bytes() == b"first"
    (tmp_path / "link").symlink_to("home/RUN")
    result(tmp_path / "link", b"second", overwrite=True)
    assert (tmp_path / "home/RUN/table.csv").read_bytes() == b"second"
    assert (tmp_path / "link").is_symlink()


def test_nothing_under_a_url_is_overwritten():
    result("memory://written/RUN", resumes=True)
    with pytest.raises(InputError, match="nothing under a URL is overwritten"):
        result("memory://written/RUN", overwrite=True, resumes=True)
    with pytest.raises(InputError, match="holds a run; choose another --out"):
        result("memory://written/RUN")
    with pytest.raises(InputError, match="expected an empty folder or a run at"):
        result("memory://written", resumes=True)
    result("memory://written/RUN", resumes=True)
    assert opened("memory://written/RUN").names() == [RECORD, "shards/00000.json", "table.csv"]


@pytest.mark.parametrize("kind", ["new", "changed", "link", "folder", "pipe", "in a folder of ours"])
def test_what_others_put_into_a_result_is_named_and_kept(tmp_path, kind):
    out = tmp_path / "RUN"
    result(out)
    theirs = out / ("shards/00001.json" if kind == "in a folder of ours" else "thesis")
    if kind == "changed":
        theirs = out / "table.csv"
    makers = {"link": lambda: theirs.symlink_to("table.csv"), "folder": theirs.mkdir, "pipe": lambda: os.mkfifo(theirs)}
    makers.get(kind, lambda: theirs.write_bytes(b"theirs"))()
    before = tree(out)
    with pytest.raises(InputError, match=f"did not write, or that were changed since: '.*{theirs.name}"):
        result(out, overwrite=True)
    assert tree(out) == before


def test_a_changed_file_is_not_replaced_and_others_are(tmp_path):
    with destination(tmp_path / "RUN", resumes=True) as store:
        store.put(RECORD, b"1")
        store.put(RECORD, b"2")
        store.path.joinpath("table.csv").write_bytes(b"theirs")
        with pytest.raises(
            InputError, match=r"table.csv' has changed since heatproof wrote it, so it is not replaced; move it"
        ):
            store.put("table.csv", b"ours")
        with pytest.raises(InputError, match="has changed since heatproof wrote it"):
            store.delete("table.csv")
        store.path.joinpath("log.jsonl").write_bytes(b"theirs")
        with pytest.raises(InputError, match="has changed since heatproof wrote it"):
            RunLog(store).write("start")
        store.path.joinpath("log.jsonl").unlink()
        RunLog(store).write("start")
        RunLog(store).write("finish")
        with store.path.joinpath("log.jsonl").open("a") as file:
            file.write("theirs\n")
    assert [event.event for event in read_log(store)] == ["start", "finish"]
    assert list(unrecorded_files(tmp_path / "RUN")) == ["log.jsonl", "table.csv"]


def test_files_of_a_cell_stand_in_the_ledger_of_the_run(tmp_path):
    with destination(tmp_path / "RUN", resumes=True) as store:
        store.put(RECORD, b"{}")
        cell = store.within("cells/00000")
        cell.put("table.csv", b"1")
        cell.append("log.jsonl", b'{"time": 1}\n')
        assert list(unrecorded_files(tmp_path / "RUN")) == []
        cell.path.joinpath("table.csv").write_bytes(b"theirs")
        for use in (lambda: cell.put("table.csv", b"ours"), lambda: cell.delete("table.csv")):
            with pytest.raises(InputError, match=r"table.csv' has changed since heatproof wrote it"):
                use()


def test_heatmaps_of_others_are_neither_replaced_nor_deleted(tmp_path):
    with destination(tmp_path / "RUN", resumes=True) as store:
        store.put(RECORD, b"{}")
        arrays = MapArrays(store)
        arrays.make(["sobel"], (4, 2, 2), at_once=2, schema=3)
        for places in (range(2), range(2, 4)):
            arrays.write(places, [0, 1], {"sobel": np.ones((2, 2, 2))})
        assert list(unrecorded_files(tmp_path / "RUN")) == []
        chunk = tmp_path / "RUN/heatmaps.zarr/method-0/c/0/0/0"
        chunk.write_bytes(b"theirs")
        for value in (2, np.nan):  # chunks of NaN are deleted
            with pytest.raises(InputError, match="has changed since heatproof wrote it"):
                arrays.write(range(2), [0, 1], {"sobel": np.full((2, 2, 2), value)})
        assert chunk.read_bytes() == b"theirs"
        arrays.write(range(2, 4), [0, 1], {"sobel": np.full((2, 2, 2), np.nan)})
        assert not (tmp_path / "RUN/heatmaps.zarr/method-0/c/1/0/0").exists()


def test_runs_of_earlier_versions_go_on_and_are_not_overwritten(tmp_path):
    out = tmp_path / "RUN"
    for name in (RECORD, "table.csv"):
        LocalStore(out).put(name, b'{"versions": {"heatproof": "0.0.1"}}')
    with destination(out, resumes=True) as store:
        store.put("table.csv", b"new")
    assert not (out / LEDGER).exists()
    with pytest.raises(InputError, match=r"it has no written\.jsonl"):
        result(out, overwrite=True)


def test_files_are_written_whole_and_never_over_others(tmp_path):
    write_file(tmp_path / "a.toml", b"a")
    with pytest.raises(InputError, match="exists already; choose another name"):
        write_file(tmp_path / "a.toml", b"b")
    with pytest.raises(InputError, match="there is no folder"):
        check_new_file(tmp_path / "none/a.toml")
    with pytest.raises(InputError, match="expected a file to write, got the URL"):
        check_new_file("memory://a/b")
    assert tree(tmp_path) == {"here": (stat.S_IFDIR, None), "a.toml": (stat.S_IFREG, b"a")}


# Whatever lies there

OURS = [RECORD, "table.csv", "shards/00000.json", "shards", "lock", LEDGER, "log.jsonl", "heatmaps.zarr/zarr.json"]
NAMES = st.sampled_from([*OURS, "thesis/a.txt", "thesis", "é", ".hidden", "shards/x"]) | st.text(
    st.characters(categories=["L", "N", "P"], exclude_characters="/."), min_size=1, max_size=8
)
CONTENTS = st.sampled_from([b"", b"theirs", b"{}", HEAD[:9] + b"theirs", b'{"pid": 1}', b'{"study": "compare"}'])
PLACES = st.sampled_from(["RUN", ".RUN.heatproof-new", ".RUN.heatproof-replaced", ""])
PLANTED = st.lists(st.tuples(PLACES, NAMES, st.sampled_from(["file", "folder", "link", "pipe"]), CONTENTS), max_size=4)


def plant(root, planted):
    """Puts these things there, where nothing is in their way; returns what then lies where."""
    there = {}
    for place, name, kind, content in planted:
        path = root / place / name
        barred = (above.is_symlink() or (above.exists() and not above.is_dir()) for above in path.parents)
        if os.path.lexists(path) or any(barred):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            path.write_bytes(content)
        elif kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(root / "table.csv")
        else:
            os.mkfifo(path)
        there[path] = (kind, content if kind == "file" else None)
    return there


def lost(there):
    """What of it is no longer as it was put there. Empty files named lock, and partial ledgers, are as heatproof's."""
    kinds = {"file": Path.is_file, "folder": Path.is_dir, "link": Path.is_symlink, "pipe": Path.is_fifo}
    return [
        path
        for path, (kind, content) in there.items()
        if not (kinds[kind](path) and (kind != "file" or path.read_bytes() == content))
    ]


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.sampled_from(["nothing", "result", "run", "stopped", "changed"]), PLANTED, st.booleans(), st.booleans(),
    st.sampled_from(["complete", "stopped", "refused"]),
)  # fmt: skip
def test_whatever_lies_there_is_there_afterwards(tmp_path, state, planted, overwrite, resumes, ends):
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    out = root / "RUN"
    if state != "nothing":
        result(out, resumes=state != "result")
    if state == "stopped":
        out.joinpath("table.csv").unlink()
    there = plant(root, planted)
    if state == "changed":
        out.joinpath("table.csv").write_bytes(b"changed")
        there[out / "table.csv"] = ("file", b"changed")
    complete = state in ("result", "run") and tree(out)
    try:
        with destination(out, overwrite=overwrite, resumes=resumes) as store:
            if ends == "refused":
                raise InputError("a misspelt method")
            store.put(RECORD, b"[]")
            if ends == "stopped":
                raise KeyboardInterrupt
            store.put("table.csv", b"second")
    except (InputError, StoreError, KeyboardInterrupt):
        if complete and not resumes:
            assert complete.items() <= tree(out).items()
    taken = {path for path, (kind, content) in there.items() if path.name == "lock" and not content and kind == "file"}
    assert set(lost(there)) <= taken
