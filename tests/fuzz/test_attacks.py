"""Files of a run and of heatmaps, in the place of which stands what leads out, never ends, or swells."""

import json
import os
import shutil
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numcodecs import zstd
from PIL import Image
from safetensors.numpy import save_file
from tests.fuzz.conftest import REFUSED, TRIED
from torch import nn

import heatproof as hp
from heatproof.chunked import array_metadata, chunk_key, encoded, group_metadata
from heatproof.data import as_dataset
from heatproof.heatmaps.precomputed import ImageSelection, MapFile
from heatproof.perturbation import Protocol
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.ledger import digest
from heatproof.runs.log import read_log
from heatproof.runs.progress import read_progress
from heatproof.runs.serialization import from_parquet, parquet_bytes
from heatproof.runs.store import LocalStore, open_store
from heatproof.studies.road import driver
from heatproof.studies.road.reading import read_comparison
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.wanted import Wanted

SECONDS, MOST_MEMORY = 1, 200 * 2**20
SPARSE = 40 * 10**9
READ = ("run.json", "log.jsonl", "statistics.safetensors", "shards/", "audit/", "heatmaps.zarr/")
WAYS = ["link out", "circle", "pipe", "device", "folder", "sparse"]


@contextmanager
def measured(kind):
    """One input: refused or read, in a second, and within so much memory on top."""
    TRIED[kind] += 1
    _reset_peak()
    before, began = _status("VmRSS"), time.perf_counter()
    try:
        yield
    except hp.InputError:
        REFUSED[kind] += 1
    assert time.perf_counter() - began < SECONDS
    assert _status("VmHWM") - before < MOST_MEMORY


def _reset_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the memory of this process cannot be measured here")


def _status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024


def attack(path, way, outside):
    """Puts something else in the place of a file."""
    path.unlink()
    if way == "pipe":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    elif way == "sparse":
        with path.open("wb") as file:
            file.truncate(SPARSE)
    else:
        path.symlink_to({"link out": outside, "device": "/dev/zero", "circle": path}[way])


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(driver, "SIZE", 2)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    photos, run = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("whole") / "run"
    generator = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(photos / f"{number}.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 10, 3))
    network = hp.Network(module, preprocessing=hp.Preprocessing(resize=12, crop=12), name="tiny")
    values = {"regions": 4, "repeats": 1, "engine": "full", "replacement": "dirichlet"}
    methods = {name: name for name in ("sobel", "sensitivity-l2")}
    settings = {"study": "compare", "methods": [*methods], "audit": 2, **values}
    wanted = Wanted(methods=methods, protocol=Protocol(**values), lerf=True, audit=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "SIZE", 2)
        run_comparison(
            wanted, lambda: (network, as_dataset(photos)), open_store(run), settings, Execution(reproduce="again")
        )
    return run


@pytest.fixture
def run(whole_run, tmp_path):
    return shutil.copytree(whole_run, tmp_path / "run")


def read_everything(run):
    """All that heatproof reads of a run: its report, how far it is, its log, and all heatmaps."""
    store = LocalStore(run)
    list(read_log(store))
    read_progress(store)
    study = read_comparison(store)
    arrays = MapArrays(store)
    arrays.read(range(arrays.shape()[0]))
    arrays.pictures()
    return study


def files_of(run):
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


def test_the_run_has_every_kind_of_file(whole_run):
    files = files_of(whole_run)
    for name in ("run.json", "log.jsonl", "statistics.safetensors", "shards/00001.json", "shards/00001.parquet",
                 "shards/00001.images.parquet", "audit/audit.json", "audit/sequences.parquet", "report.html",
                 "heatmaps.zarr/zarr.json", "heatmaps.zarr/method-1/zarr.json", "heatmaps.zarr/method-1/c/1/0/0",
                 "heatmaps.zarr/pictures/zarr.json", "heatmaps.zarr/pictures/c/0/0/0/0"):  # fmt: skip
        assert name in files
    assert read_everything(whole_run).audit is not None


@pytest.mark.parametrize("way", WAYS)
def test_every_file_of_a_run(run, way, tmp_path, recwarn):
    """No file is read through; those that a report needs are refused, or count as missing where they are folders."""
    for name in files_of(run):
        kept, outside = tmp_path / "kept", tmp_path / "outside"
        (run / name).rename(kept)
        shutil.copy(kept, outside)
        shutil.copy(kept, run / name)
        attack(run / name, way, outside)
        refused = REFUSED["files of runs"]
        with measured("files of runs"):
            LocalStore(run).get(name)
        assert REFUSED["files of runs"] == refused + 1, name
        if name.startswith(READ):
            refused = REFUSED["runs"]
            with measured("runs"):
                read_everything(run)
            marker = way == "folder" and name.startswith("shards/") and name.endswith(".json")
            audit = way == "folder" and name == "audit/audit.json"
            assert REFUSED["runs"] == refused + 1 or marker or audit, name
        (run / name).rmdir() if way == "folder" else (run / name).unlink()
        kept.rename(run / name)
    read_everything(run)


def swollen_table(data, change):
    return parquet_bytes(change(from_parquet(data, "it")))


@pytest.mark.parametrize("name", ["shards/00001.parquet", "shards/00001.images.parquet", "audit/sequences.parquet"])
@pytest.mark.parametrize("how", ["long lists", "long texts", "many rows"])
def test_tables_that_swell(run, name, how):
    """The checksum of the marker fits: whoever makes a table makes its marker, too."""
    column = "absorbed" if "images" in name else "steps"
    changes = {
        "long lists": lambda frame: frame.with_columns(
            pl.Series(column, [[0] * 30_000_000, *[[0]] * (len(frame) - 1)], dtype=frame[column].dtype)
        ),
        "long texts": lambda frame: frame[np.zeros(2000, int)].with_columns(image=pl.lit("x" * 10**6)),
        "many rows": lambda frame: frame[np.zeros(2**21, int)],
    }
    data = swollen_table((run / name).read_bytes(), changes[how])
    marker = run / ("audit/audit.json" if "audit" in name else "shards/00001.json")
    described = json.loads(marker.read_text())
    key = name if "audit" in name else (".images" if "images" in name else "")
    described["objects"][key] = digest(data)
    marker.write_text(json.dumps(described))
    (run / name).write_bytes(data)
    refused = REFUSED["tables that swell"]
    with measured("tables that swell"):
        read_everything(run)
    assert REFUSED["tables that swell"] == refused + 1


@pytest.mark.parametrize("name", ["method-0", "method-1", "pictures"])
@pytest.mark.parametrize("how", ["bomb", "pickle", "large chunk"])
def test_arrays_of_a_run(run, name, how, tmp_path):
    folder = run / "heatmaps.zarr" / name
    metadata = json.loads((folder / "zarr.json").read_text())
    if how == "bomb":
        for chunk in (folder / "c").rglob("0"):
            if chunk.is_file():
                chunk.write_bytes(zstd.compress(np.zeros(500_000_000, np.uint8), 1))
    elif how == "pickle":
        metadata["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
    else:
        metadata["chunk_grid"]["configuration"]["chunk_shape"][0] = 10**6
    (folder / "zarr.json").write_text(json.dumps(metadata))
    refused = REFUSED["arrays of runs"]
    with measured("arrays of runs"):
        read_everything(run)
    assert REFUSED["arrays of runs"] == refused + 1


NAMES, SHAPE = ("a.png", "b.png", "c.png"), (6, 5)
MAPS = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


def zarr_of_maps(path, maps=MAPS):
    (path / "c/0/0").mkdir(parents=True)
    (path / "zarr.json").write_bytes(array_metadata(maps.shape, maps.shape, {}))
    (path / chunk_key(0, 3)).write_bytes(encoded(maps))


def zarr_of_run(path):
    path.mkdir()
    (path / "zarr.json").write_bytes(group_metadata({"methods": ["mine"]}))
    zarr_of_maps(path / "method-0")


KINDS = {
    "maps.npz": lambda path: np.savez_compressed(path, **dict(zip(NAMES, MAPS, strict=True))),
    "maps.npy": lambda path: np.save(path, MAPS),
    "maps.safetensors": lambda path: save_file(dict(zip(NAMES, MAPS, strict=True)), path),
    "maps.zarr": zarr_of_maps,
    "run.zarr": zarr_of_run,
}


def read_maps(path):
    """All that is asked of a file of heatmaps."""
    file = MapFile(path, "mine")
    fixed = file.with_fingerprint()
    fixed.check()
    asked = ImageSelection.every(3, NAMES)
    fixed.missing(asked, SHAPE)
    file.read_unchecked(asked)
    return file.read(asked, SHAPE)


def refused(path):
    kind = f"heatmaps in {path.suffix}"
    before = REFUSED[kind]
    with measured(kind):
        read_maps(path)
    return REFUSED[kind] == before + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_every_file_of_heatmaps(kind, way, tmp_path):
    """A link is followed where the user names it, and not within a folder that the user names."""
    path, outside, kept = tmp_path / "here" / kind, tmp_path / f"outside{Path(kind).suffix}", tmp_path / "kept"
    path.parent.mkdir()
    KINDS[kind](path)
    if kind == "run.zarr":
        (path.parent / "run.json").write_text("{}")
    files = [path] if path.is_file() else [*sorted(p for p in path.rglob("*") if p.is_file())]
    for file in [*files, *([path.parent / "run.json"] if kind == "run.zarr" else [])]:
        file.rename(kept)
        shutil.copy(kept, outside)
        shutil.copy(kept, file)
        attack(file, way, outside)
        if way == "link out" and file == path:
            assert not refused(path)
        else:
            assert refused(path), file
        file.rmdir() if way == "folder" else file.unlink()
        kept.rename(file)
        outside.unlink()
    np.testing.assert_array_equal(read_maps(path), MAPS)


def header_of(shape, descr="<f4"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def packed(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, parts in members.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                for part in parts:
                    stream.write(part)


def sparse(path, head):
    with path.open("wb") as file:
        file.write(head)
        file.truncate(SPARSE)


def long_header(size):
    return b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little")


MADE = {
    "declares 40 GB.npy": lambda path: sparse(path, header_of((10**5, 10**5))),
    "declares and holds 40 GB.npy": lambda path: sparse(
        path, header_of(((SPARSE - len(header_of((9_999_999_981,)))) // 4,))
    ),
    "declares less than nothing.npy": lambda path: path.write_bytes(header_of((-3, 6, 5)) + bytes(360)),
    "long header.npy": lambda path: sparse(path, long_header(2**32 - 1)),
    "objects.npy": lambda path: path.write_bytes(header_of((3, 6, 5), "|O") + bytes(720)),
    "declares more.npz": lambda path: packed(path, {f"{name}.npy": [header_of(SHAPE), bytes(8)] for name in NAMES}),
    "declares 4 TB.npz": lambda path: packed(path, {f"{name}.npy": [header_of((10**6, 10**6))] for name in NAMES}),
    "long header.npz": lambda path: packed(
        path, {f"{name}.npy": [long_header(2**28), *[bytes(2**20)] * 256] for name in NAMES[:1]}
    ),
    "objects.npz": lambda path: packed(path, {f"{name}.npy": [header_of(SHAPE, "|O"), bytes(240)] for name in NAMES}),
    "many members.npz": lambda path: path.write_bytes(
        (b"PK\1\2" + bytes(42)) * 300_000
        + b"PK\5\6" + bytes(4) + b"\xff\xff" * 2 + (46 * 300_000).to_bytes(4, "little") + bytes(6)
    ),
    "long header.safetensors": lambda path: sparse(path, (2**33).to_bytes(8, "little") + b"{"),
    "40 GB.safetensors": lambda path: sparse(path, (2).to_bytes(8, "little") + b"{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_heatmaps_that_declare_something_else(name, tmp_path):
    MADE[name](tmp_path / name)
    assert refused(tmp_path / name)


@pytest.mark.parametrize("how", ["bomb", "pickle", "large chunk", "large array"])
def test_arrays_of_heatmaps(how, tmp_path):
    path = tmp_path / "maps.zarr"
    zarr_of_maps(path)
    metadata = json.loads((path / "zarr.json").read_text())
    if how == "bomb":
        (path / chunk_key(0, 3)).write_bytes(zstd.compress(np.zeros(500_000_000, np.uint8), 1))
    elif how == "pickle":
        metadata["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
    elif how == "large chunk":
        metadata["chunk_grid"]["configuration"]["chunk_shape"][0] = 10**7
    else:
        metadata["shape"] = [3, 2**14, 2**14]
        metadata["chunk_grid"]["configuration"]["chunk_shape"] = [3, 2**9, 2**9]
    (path / "zarr.json").write_text(json.dumps(metadata))
    assert refused(path)
