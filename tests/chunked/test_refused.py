"""Zarr that strangers made: no code of theirs runs, nothing leads out, and nothing swells."""

import gzip
import json
import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from numcodecs import blosc, lz4, zstd

from heatproof.chunked import ZarrArray, ZarrFolder
from heatproof.errors import InputError

PLAIN = {"name": "bytes", "configuration": {"endian": "little"}}
V3 = {
    "zarr_format": 3, "node_type": "array", "shape": [4, 4], "data_type": "float32", "fill_value": 0.0,
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 4]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [PLAIN], "attributes": {},
}  # fmt: skip
V2 = {
    "zarr_format": 2, "shape": [4, 4], "chunks": [4, 4], "dtype": "<f4", "fill_value": 0, "order": "C",
    "compressor": None, "filters": None,
}  # fmt: skip
ZEROS = bytes(64_000_000)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def written(folder, metadata, chunk=b"", format3=True):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("zarr.json" if format3 else ".zarray")).write_text(json.dumps(metadata))
    place = folder / ("c/0/0" if format3 else "0.0")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(chunk)
    return folder


def read(folder):
    return ZarrArray(ZarrFolder(folder), "").read()


def codec(name, **settings):
    return {"name": name, "configuration": settings}


def sharded(*codecs, index=(PLAIN,), chunk=(2, 2)):
    return codec("sharding_indexed", chunk_shape=list(chunk), codecs=list(codecs), index_codecs=list(index))


@pytest.mark.parametrize("name", ["pickle", "numcodecs.pickle", "json2", "package.module:function", "msgpack2"])
@pytest.mark.parametrize("where", ["compressor", "filter", "object", "serializer", "codec", "inner", "index"])
def test_codecs_that_run_code(name, where, tmp_path):
    old = {
        "compressor": {"compressor": {"id": name}},
        "filter": {"filters": [{"id": name}]},
        "object": {"dtype": "|O", "filters": [{"id": name}]},
    }
    new = {
        "serializer": [codec(name)],
        "codec": [PLAIN, codec(name)],
        "inner": [sharded(PLAIN, codec(name))],
        "index": [sharded(PLAIN, index=[PLAIN, codec(name)])],
    }
    chunk = pickle.dumps(Bomb(tmp_path / "code ran"))
    format3 = where in new
    metadata = V3 | {"codecs": new[where]} if format3 else V2 | old[where]
    with pytest.raises(InputError, match=r"has the codec|holds '\|O'"):
        read(written(tmp_path / "a.zarr", metadata, chunk, format3))
    assert not (tmp_path / "code ran").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"storage_transformers": [{"name": "pickle"}]},
        {"data_type": {"name": "numpy.structured", "configuration": {}}},
        {"data_type": "object"},
        {"data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**31 - 4}}},
        {"chunk_grid": {"name": "rectilinear", "configuration": {"chunk_shape": [4, 4]}}},
        {"chunk_key_encoding": {"name": "suffix", "configuration": {}}},
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/../"}}},
        {"fill_value": {"a": 1}},
        {"fill_value": [[]]},
        {"fill_value": "import os"},
        {"shape": [10**18, 4]},
        {"shape": [-1, 4]},
        {"shape": [True, 4]},
        {"shape": [4] * 9},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 4]}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**20, 2**11]}}},
        {"shape": [4, 10**6], "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}}},
        {"codecs": []},
        {"codecs": [PLAIN] * 20},
        {"codecs": [codec("transpose", order=[0, 0]), PLAIN]},
        {"codecs": [sharded(sharded(PLAIN))]},
        {"codecs": [sharded(PLAIN, index=[PLAIN, codec("gzip")])]},
        {"codecs": [sharded(PLAIN, chunk=(3, 3))]},
        {"attributes": [1]},
        {"unknown": 1},
        {"zarr_format": 4},
        {"node_type": "group"},
    ],
    ids=lambda changed: json.dumps(changed)[:70],
)
def test_metadata_that_are_refused(changed, tmp_path):
    with pytest.raises(InputError, match=r"metadata|array|holds|codec|chunks|too large|storage|index"):
        read(written(tmp_path, V3 | changed, bytes(64)))


@pytest.mark.parametrize(
    "text", ["{", "[" * 10**6, '{"a":' * 10**5, "[]", "9" * 5000, "[[]," * 10**6, '{"shape": [1e999]}', "\ud800"]
)
def test_metadata_that_are_none(text, tmp_path):
    (tmp_path / "zarr.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"is not JSON|expected an object|values|metadata"):
        read(tmp_path)


def test_consolidated_metadata_are_not_asked(tmp_path):
    """What a group says of its arrays cannot contradict what the arrays say."""
    written(tmp_path / "a", V3, bytes(64))
    inner = V3 | {"codecs": [codec("pickle")]}
    group = {"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"metadata": {"a": inner}}}
    (tmp_path / "zarr.json").write_text(json.dumps(group))
    assert ZarrFolder(tmp_path).arrays() == ("a",)
    assert not ZarrArray(ZarrFolder(tmp_path), "a").read().any()


def bombs():
    """64 MB of zeros, where 64 bytes were declared."""
    return {
        "zstd": zstd.compress(ZEROS), "blosc": blosc.compress(ZEROS, b"lz4", 5, 1), "lz4": lz4.compress(ZEROS),
        "gzip": gzip.compress(ZEROS), "zlib": zlib.compress(ZEROS),
        "two zstd frames": zstd.compress(bytes(64)) + zstd.compress(ZEROS),
        "two gzip files": gzip.compress(bytes(64)) + gzip.compress(ZEROS),
        "zstd that lies": zstd.compress(ZEROS)[:5] + struct.pack("<I", 64) + zstd.compress(ZEROS)[9:],
        "blosc that lies": blosc.compress(ZEROS, b"lz4", 5, 1)[:4] + struct.pack("<I", 64)
        + blosc.compress(ZEROS, b"lz4", 5, 1)[8:],
        "a torn blosc": blosc.compress(bytes(64), b"lz4", 5, 1)[:20],
        "too few": zstd.compress(bytes(60)),
    }  # fmt: skip


@pytest.mark.parametrize("name", bombs())
def test_chunks_that_unpack_to_something_else(name, tmp_path):
    kind = next(one for one in ("zstd", "blosc", "lz4", "gzip", "zlib") if one in (*name.split(), "zstd"))
    kind = kind if kind in name else "zstd"
    folder = written(tmp_path, V3 | {"codecs": [PLAIN, codec(kind)]}, bombs()[name])
    with pytest.raises(InputError, match=r"c/0/0 of ''|'c/0/0' of"):
        read(folder)


def test_shards_whose_index_lies(tmp_path):
    for begin, size in ((0, 2**40), (2**63, 16), (2**64 - 1, 2**63), (0, 16)):
        index = np.array([[begin, size]] * 4, "<u8").tobytes()
        folder = written(tmp_path, V3 | {"codecs": [sharded(PLAIN)]}, bytes(16) + index)
        if size == 16 and begin == 0:
            assert not read(folder).any()
            continue
        with pytest.raises(InputError, match="a shard is incomplete"):
            read(folder)


def test_chunks_that_are_larger_than_they_may_be(tmp_path):
    folder = written(tmp_path, V3)
    with (folder / "c/0/0").open("wb") as file:
        file.truncate(40 * 10**9)
    with pytest.raises(InputError, match=r"'c/0/0' of .* has 40,000,000,000 bytes; expected at most 64"):
        read(folder)


@pytest.mark.parametrize("way", ["link out", "folder that leads out", "pipe", "device", "circle", "folder"])
def test_chunks_that_are_no_files_of_the_folder(way, tmp_path):
    folder, outside = written(tmp_path / "a.zarr", V3, bytes(64)), tmp_path / "outside"
    outside.mkdir()
    (outside / "0").write_bytes(b"mine" * 16)
    place = folder / "c/0/0"
    place.unlink()
    if way == "folder that leads out":
        place.parent.rmdir()
        place.parent.symlink_to(outside)
    elif way == "pipe":
        os.mkfifo(place)
    elif way == "folder":
        place.mkdir()
    else:
        place.symlink_to({"link out": outside / "0", "device": "/dev/zero", "circle": place}[way])
    with pytest.raises(InputError, match=r"leads out of the folder|is no regular file"):
        read(folder)


def test_names_do_not_lead_out(tmp_path):
    written(tmp_path / "outside", V3, bytes(64))
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(InputError, match="leads out"):
        ZarrArray(ZarrFolder(tmp_path / "a.zarr"), "../outside").read()
