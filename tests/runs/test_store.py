"""Objects are whole or not there: in folders that writers die in, on full and read-only disks, and under URLs."""

import errno
import hashlib
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import fsspec
import numpy as np
import pytest
import zarr
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations
from hypothesis import given
from hypothesis import strategies as st
from tests.disks import small_disk

from heatproof.errors import InputError
from heatproof.runs.fsspec_store import FsspecStore
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.objects import MissingError, Store, StoreError, checked_name
from heatproof.runs.store import LocalStore, open_store


class Moving(LocalFileSystem):
    """A file system whose puts are not whole by themselves; ``failing``, it breaks after the first bytes."""

    protocol = "moving"
    failing = False

    def __init__(self, **options):
        super().__init__(**options | {"auto_mkdir": True})

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("moving://").rstrip("/")

    def pipe_file(self, path, value, mode="overwrite", **options):
        super().pipe_file(path, value[:3] if Moving.failing else value, mode, **options)
        if Moving.failing:
            raise ConnectionError("gone")


fsspec.register_implementation("moving", Moving, clobber=True)


@pytest.fixture(params=["folder", "memory", "moving"])
def store(request, tmp_path):
    """The same promises, wherever objects lie."""
    place = {
        "folder": str(tmp_path / "run"),
        "memory": f"memory://{tmp_path.as_posix()}/run",
        "moving": f"moving://{tmp_path.as_posix()}/run",
    }
    return open_store(place[request.param])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_put_get_exists_names_delete(store):
    assert (store.names(), store.names("shards/"), store.exists("a/b.json"), store.sweep()) == ([], [], False, 0)
    for name, data in [("shards/00001.json", b"one"), ("shards/00000.json", b"\0"), ("run.json", b""), ("s", b"s")]:
        store.put(name, data)
        assert store.get(name) == data
    store.put("run.json", b"again")
    assert store.names() == ["run.json", "s", "shards/00000.json", "shards/00001.json"]
    assert store.names("shards/") == ["shards/00000.json", "shards/00001.json"]
    assert store.names("shards/00001") == ["shards/00001.json"]
    assert store.names("s") == ["s", "shards/00000.json", "shards/00001.json"]
    assert store.names("nothing/") == store.names("run.json/") == []
    assert list(store.get_each(["run.json", "shards/00001.json"])) == [b"again", b"one"]
    assert list(store.get_each(["s"])) == [b"s"]
    assert list(store.get_each([])) == []
    assert store.exists("shards/00000.json")
    assert not store.exists("shards")
    store.delete("shards/00000.json")
    store.delete("shards/00000.json")
    assert store.names("shards/") == ["shards/00001.json"]


def test_a_folder_of_a_store_is_a_store(store):
    inner = store.within("cells").within("00000")
    inner.put("shards/0.json", b"1")
    store.put("cells/00000x", b"2")
    assert (store.names(), inner.names()) == (["cells/00000/shards/0.json", "cells/00000x"], ["shards/0.json"])
    assert (store.get("cells/00000/shards/0.json"), inner.get("shards/0.json")) == (b"1", b"1")
    assert pickle.loads(pickle.dumps(inner)).names("shards/") == ["shards/0.json"]
    assert str(inner) == f"{store}/cells/00000"
    with pytest.raises(InputError, match="cannot name an object"):
        store.within("../cells")


def test_what_is_not_there_is_named(store):
    with pytest.raises(InputError, match=r"run has no 'shards/00003.json'"):
        store.get("shards/00003.json")
    (missing,) = store.get_each(["shards/00003.json"])
    assert isinstance(missing, MissingError)
    assert "shards/00003.json" in str(missing)


def test_no_more_is_read_than_was_asked_for(store):
    store.put("empty", b"")
    store.put("shards/0.json", b"12345")
    assert store.get("shards/0.json", at_most=5) == b"12345"
    assert list(store.get_each(["empty", "shards/0.json"], at_most=5)) == [b"", b"12345"]
    message = r"'shards/0.json' of .*run has 5 bytes; expected at most 4"
    with pytest.raises(InputError, match=message):
        store.get("shards/0.json", at_most=4)
    empty, refused = store.get_each(["empty", "shards/0.json"], at_most=4)
    assert empty == b""
    assert isinstance(refused, InputError)
    assert re.search(message, str(refused))


def test_many_objects_are_read_as_they_are_wanted(store, monkeypatch):
    """However many there are, no more of them are in memory than may be read at once: two of five bytes, of 14."""
    monkeypatch.setattr("heatproof.runs.fsspec_store.LARGEST_OBJECT", 14)
    for number in range(4):
        store.put(f"shards/{number}.json", b"12345")
    each = store.get_each(store.names(), at_most=5)
    assert next(each) == b"12345"
    store.delete("shards/2.json")
    second, third, fourth = each
    assert (second, fourth) == (b"12345", b"12345")
    assert isinstance(third, MissingError)


def test_a_sparse_file_is_refused_by_its_size(tmp_path):
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(40 * 10**9)
    with pytest.raises(InputError, match=r"'run\.json' of .* has 40,000,000,000 bytes; expected at most 268,435,456"):
        LocalStore(tmp_path).get("run.json")


def test_a_link_that_is_put_there_meanwhile_is_not_followed(tmp_path, monkeypatch):
    """Between looking at a path and opening it, somebody makes a link of it, or of its folder."""
    run, outside = tmp_path / "run", tmp_path / "outside"
    for link in ("shards", "shards/0.json"):
        for folder in (run, outside):
            (folder / "shards").mkdir(parents=True)
            (folder / "shards" / "0.json").write_text("mine")

        def looked(path, original=os.lstat, link=link):
            found = original(path)
            (run / link).rename(run / "away")
            (run / link).symlink_to(outside / link)
            return found

        with monkeypatch.context() as patched:
            patched.setattr("heatproof.guarded.os.lstat", looked)
            patched.setattr("heatproof.guarded.os.path.realpath", os.path.abspath)
            with pytest.raises(InputError, match=r"shards/0\.json"):
                LocalStore(run).get("shards/0.json")
        shutil.rmtree(run)
        shutil.rmtree(outside)


def test_a_store_may_be_sent_to_another_process(store):
    store.put("a", b"1")
    assert pickle.loads(pickle.dumps(store)).get("a") == b"1"


def maps_in(store, count=4):
    """Arrays of two maps in each chunk, and a way to write all of them."""
    arrays = MapArrays(store)
    arrays.make(["lrp", "random"], (count, 30, 30), at_once=2, schema=3)
    noise = np.random.default_rng(0).normal(size=(2, 30, 30)).astype(np.float32)
    return arrays, lambda: arrays.write(range(count - 2, count), [0, 1], {"random": noise})


def test_heatmaps_lie_in_the_store(store):
    _, write = maps_in(store)
    write()
    found = MapArrays(store).read([1, 3])
    assert np.isnan(found["lrp"]).all()
    np.testing.assert_array_equal(np.isnan(found["random"][:, 0, 0]), [True, False])
    assert "heatmaps.zarr/method-0/zarr.json" in store.names("heatmaps.zarr/")
    assert "heatmaps.zarr/method-1/c/1/0/0" in store.names("heatmaps.zarr/")


def test_zarr_reads_the_heatmaps_of_a_run(tmp_path):
    arrays, write = maps_in(LocalStore(tmp_path))
    write()
    group = zarr.open_group(str(tmp_path / "heatmaps.zarr"), mode="r")
    assert dict(group.attrs) == {"schema": 3, "methods": ["lrp", "random"]}
    for number, (method, maps) in enumerate(arrays.read(range(4)).items()):
        array = group[f"method-{number}"]
        np.testing.assert_array_equal(array[:], maps)
        assert (array.chunks, dict(array.attrs)) == ((2, 30, 30), {"method": method})


def test_maps_of_which_nothing_is_known_any_more_are_taken_away(tmp_path):
    arrays, write = maps_in(LocalStore(tmp_path))
    write()
    arrays.write(range(2, 4), [0, 1], {"random": np.full((2, 30, 30), np.nan, np.float32)})
    assert not (tmp_path / "heatmaps.zarr/method-1/c/1/0/0").exists()


def test_heatmaps_reach_the_disk_as_other_objects_do(tmp_path, monkeypatch):
    synced = []
    _, write = maps_in(LocalStore(tmp_path))
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
    )
    write()
    assert [name.endswith(".partial") for name in synced if name != "0"].count(True) == 1
    assert {name for name in synced if not name.endswith(".partial")} == {"method-1", "c", "1", "0"}


def test_heatmaps_do_not_lead_out(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()
    _, write = maps_in(LocalStore(run))
    (run / "heatmaps.zarr" / "method-1" / "c").symlink_to(outside)
    with pytest.raises(InputError, match="is a link that leads out of the folder; remove the link"):
        write()
    assert files(outside) == []


def test_leftovers_are_no_objects_and_are_swept(tmp_path):
    store = LocalStore(tmp_path)
    store.put("shards/0.json", b"{}")
    end = f"{'0123' * 8}.partial"
    for name in (f".{end}", f"shards/.{end}", f"heatmaps.zarr/0.{end}", "download.partial"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    assert store.names() == ["shards/0.json"]
    assert store.sweep() == 3
    assert files(tmp_path) == ["download.partial", "shards/0.json"]


def test_leftovers_under_a_url_are_swept():
    store = FsspecStore("memory://leftovers/run")
    store.put("a", b"1")
    fsspec.filesystem("memory").pipe_file(f"/leftovers/run/.{'0123' * 8}.partial", b"half")
    assert store.names() == ["a"]
    assert store.sweep() == 1
    assert fsspec.filesystem("memory").find("/leftovers/run") == ["/leftovers/run/a"]


# Names

PARTS = st.sampled_from(
    ["..", ".", "", "~", "a", "shards", "con", "\0", "a\\b", "..\\..", "C:", "é", "\ud800", "a\n", "x" * 300]
)


@given(st.lists(PARTS | st.text(max_size=5), min_size=1, max_size=5).map("/".join) | st.text(max_size=20))
def test_no_name_leads_out(name):
    folder = Path("/somewhere/run")
    try:
        checked_name(name)
    except InputError:
        return
    path = folder / name
    assert Path(os.path.normpath(path)) == path
    assert path.is_relative_to(folder)
    assert path != folder
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\\b", "a\0", ".hidden", "a b", "a.partial"]
)
@pytest.mark.parametrize("place", ["folder", "memory://names/run"])
def test_names_that_are_refused_everywhere(place, name, tmp_path):
    store = open_store(place if "://" in place else tmp_path / place)
    for use in (store.get, store.exists, store.delete, store.local_path, lambda n: store.put(n, b"")):
        with pytest.raises(InputError, match="cannot name an object of a run: expected parts of at most 200 ASCII"):
            use(name)
    with pytest.raises(InputError, match="cannot name an object"):
        store.names("../")
    assert files(tmp_path) == []


@pytest.mark.parametrize("link", ["shards", "shards/0.json"])
def test_links_do_not_lead_out(link, tmp_path):
    outside, run = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    (outside / "0.json").write_text("mine")
    (run / link).parent.mkdir(parents=True)
    (run / link).symlink_to(outside / "0.json" if "." in link else outside)
    store = LocalStore(run)
    for use in (store.get, store.delete, store.exists, lambda name: store.put(name, b"theirs")):
        with pytest.raises(InputError, match="is a link that leads out of the folder; remove the link"):
            use("shards/0.json")
    store.sweep()
    assert files(outside) == ["0.json"]
    assert (outside / "0.json").read_text() == "mine"


def test_links_in_a_circle_are_no_objects(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert LocalStore(tmp_path).names() == ["a", "b"]
    with pytest.raises(
        InputError, match=r"'a' of .* is no regular file; folders, pipes, devices and links in a circle"
    ):
        LocalStore(tmp_path).get("a")


def test_a_run_may_lie_behind_a_link_and_keeps_its_place(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    monkeypatch.chdir(tmp_path)
    store = open_store("run")
    monkeypatch.chdir("/")
    store.put("a/b", b"1")
    assert files(tmp_path / "disk") == ["a/b"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert LocalStore(tmp_path).names() == ["pipe"]
    with pytest.raises(InputError, match=r"'pipe' of .* is no regular file"):
        LocalStore(tmp_path).get("pipe")


# Places


def test_places():
    assert isinstance(open_store(Path("runs/first")), LocalStore)
    assert open_store("file:///tmp/a%20run").local_path("x") == Path("/tmp/a run/x")
    assert open_store("memory://places").local_path("x") is None
    assert isinstance(open_store("C"), Store)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (Path("s3://bucket/run"), "'s3:/bucket/run' is neither a folder nor a URL: expected a URL as text"),
        ("s3:/bucket/run", "neither a folder nor a URL"),
        ("memory://", "expected a URL like s3://bucket/run"),
        ("nosuch://place", "nosuch://place cannot be opened: Protocol not known: nosuch"),
        ("simplecache::memory://a", "holds several URLs; expected one"),
        ("memory://a::memory://b", "holds several URLs; expected one"),
    ],
)
def test_places_that_are_refused(place, message):
    with pytest.raises(InputError, match=message):
        open_store(place)


def test_a_missing_file_system_is_named(monkeypatch):
    absent = {"class": "no_such_package.System", "err": "Install no_such_package"}
    monkeypatch.setitem(known_implementations, "absent", absent)
    with pytest.raises(InputError, match="absent://bucket/run cannot be opened: Install no_such_package"):
        open_store("absent://bucket/run")


def test_a_missing_fsspec_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r'needs the package fsspec: pip install "heatproof\[remote\]"'):
        open_store("memory://a")


def test_passwords_stay_out_of_messages(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match=r"^sftp://me@host/run needs"):
        open_store("sftp://me:secret@host/run")


def test_a_service_that_breaks_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    store = FsspecStore(f"moving://{tmp_path.as_posix()}/run")
    store.put("a", b"before")
    monkeypatch.setattr(Moving, "failing", True)
    with pytest.raises(
        StoreError, match=r"/run/a could not be written: ConnectionError: gone; what was finished is kept"
    ):
        store.put("a", b"after")
    assert store.get("a") == b"before"
    assert files(tmp_path) == ["run/a"]


# Disks


def test_a_full_disk_loses_nothing_and_leaves_nothing(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk):
        store = LocalStore(disk / "run")
        store.put("shards/0.parquet", b"0" * 100_000)
        for name in ("shards/1.parquet", "shards/0.parquet", "new/1.parquet"):
            with pytest.raises(
                StoreError, match=r"could not be written: No space left on device; make room and start again"
            ):
                store.put(name, b"1" * 200_000)
        assert files(disk) == ["run/shards/0.parquet"]
        assert store.get("shards/0.parquet") == b"0" * 100_000
        store.put("shards/1.parquet", b"1" * 50_000)
        assert store.names() == ["shards/0.parquet", "shards/1.parquet"]


def test_a_disk_too_full_for_heatmaps(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "24k"):
        _, write = maps_in(LocalStore(disk))
        before = files(disk)
        (disk / "other").write_bytes(bytes(4096))
        with pytest.raises(StoreError, match="No space left on device; make room and start again"):
            write()
        assert files(disk) == [*before, "other"]


def test_a_disk_without_room_for_files(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, options=",nr_inodes=3"):
        store = LocalStore(disk)
        store.put("shards/0.json", b"{}")
        with pytest.raises(StoreError, match="No space left on device"):
            store.put("shards/1.json", b"{}")
        assert files(disk) == ["shards/0.json"]


def test_a_read_only_disk(tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk):
        store = LocalStore(disk)
        store.put("a", b"1")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for use in (lambda: store.put("a", b"2"), lambda: store.put("b/c", b"2"), lambda: store.delete("a")):
            with pytest.raises(StoreError, match="Read-only file system; choose a folder that you may write to"):
                use()
        assert store.get("a") == b"1"
        assert files(disk) == ["a"]


@contextmanager
def without_rights():
    """As a user who owns nothing, where we are root; as ourselves otherwise."""
    root = not os.getuid()
    if root:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)


def test_a_folder_that_we_may_not_write(tmp_path):
    for folder in [tmp_path, *tmp_path.parents]:  # pytest closes its folders to others
        if folder.owner() == tmp_path.owner() and folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o755)
    run = tmp_path / "run"
    store = LocalStore(run)
    store.put("a", b"1")
    run.chmod(0o555)
    (run / "a").chmod(0o400)
    with without_rights():
        for name in ("a", "b/c"):
            with pytest.raises(
                StoreError, match="Permission denied; choose a folder that you may read and write; what"
            ):
                store.put(name, b"2")
        assert store.names() == ["a"]
        if not os.getuid():
            with pytest.raises(StoreError, match="a' could not be read: Permission denied"):
                store.get("a")
    run.chmod(0o755)
    assert files(run) == ["a"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_put_that_fails_late_leaves_what_was(failing, tmp_path, monkeypatch):
    store = LocalStore(tmp_path)
    store.put("a", b"before")

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), broken)
    with pytest.raises(StoreError, match=r"a' could not be written: Input/output error; what was"):
        store.put("a", b"after")
    assert files(tmp_path) == ["a"]
    assert store.get("a") == b"before"


def test_a_put_that_is_interrupted_leaves_what_was(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalStore(tmp_path).put("a", b"1")
    assert files(tmp_path) == []


def test_bytes_reach_the_disk_before_their_name_does(tmp_path, monkeypatch):
    """File synced, then renamed, then its folder synced; a new folder's own name is brought to the disk first."""
    done = []

    def fsync(descriptor, original=os.fsync):
        done.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        original(descriptor)

    def replace(path, target, original=Path.replace):
        assert path.read_bytes() == b"1"
        done.append(("rename", target.name))
        original(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    LocalStore(tmp_path / "run").put("shards/0.json", b"1")
    (_, temporary) = done[2]
    assert temporary.endswith(".partial")
    assert done == [
        ("fsync", tmp_path.name), ("fsync", "run"), ("fsync", temporary), ("rename", "0.json"), ("fsync", "shards"),
    ]  # fmt: skip


def test_folders_that_cannot_be_synced_are_used_all_the_same(tmp_path, monkeypatch):
    def fsync(descriptor, original=os.fsync):
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    LocalStore(tmp_path / "run").put("a/b", b"1")
    assert files(tmp_path / "run") == ["a/b"]


def test_files_have_the_rights_that_the_user_gives(tmp_path):
    before = os.umask(0o027)
    try:
        LocalStore(tmp_path).put("a", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


# Writers that die

WRITER = """
import hashlib, itertools
from heatproof.runs.store import LocalStore
for number in itertools.count():
    body = bytes([number % 256]) * (1 + number * 7919 % 300_000)
    LocalStore(run).put(f"shards/{number % 5:05d}.parquet", hashlib.blake2b(body).digest() + body)
    if number == 0:
        print("ready", flush=True)
"""


def test_killed_writers_leave_whole_objects_only(tmp_path, another_process):
    """Thirty writers are killed at random moments; every object is one that was put."""
    store, leftovers = LocalStore(tmp_path), 0
    for moment in np.random.default_rng(6).uniform(0, 0.04, 30):
        with another_process(WRITER, tmp_path) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(moment)
        for name in store.names():
            data = store.get(name)
            assert hashlib.blake2b(data[64:]).digest() == data[:64]
        leftovers += store.sweep()
        assert all(name.startswith("shards/") and name.endswith(".parquet") for name in files(tmp_path))
    assert leftovers > 0  # or the kills came at harmless moments
    assert store.names()[0] == "shards/00000.parquet"
