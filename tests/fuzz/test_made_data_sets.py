"""Data sets that are made to run code, to lead elsewhere, or to take memory or time."""

# ruff: noqa: E501 - tables of bytes are read line by line

import io
import json
import os
import pickle
import struct
import tarfile
import zlib

import pytest
from tests.fuzz.test_data_sets import SMALL, png

from heatproof.data import open_dataset, read_shard
from heatproof.errors import InputError

PICTURE = png()


def header(name, size=0, kind=b"0", sized=None):
    """A header of a tar archive, with a checksum that fits."""
    field = f"{size:011o}\0".encode() if sized is None else sized
    block = bytearray(name[:100].ljust(100, b"\0") + b"0000644\0" + bytes(16) + field + bytes(12) + b" " * 8 + kind)
    block = block.ljust(257, b"\0") + bytearray(b"ustar\x0000").ljust(255, b"\0")
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def entry(name, content, kind=b"0"):
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def attributes(kind=b"x", **pairs):
    lines = b""
    for key, value in pairs.items():
        text = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(text) + len(str(len(text) + len(str(len(text)))))
        lines += str(length).encode() + text
    return entry(b"attributes", lines, kind)


ONE = entry(b"one.png", PICTURE)
MANY = header(b"one.cls")
TARS_REFUSED = {
    "long name of 1 GB": (header(b"name", 2**30, b"L") + bytes(2**20), "an entry should have"),
    "attributes of 1 MB": (entry(b"x", bytes(2**20), b"x") + ONE, "at most 65,536 bytes"),
    "long link of 1 GB": (header(b"name", 2**30, b"K") + bytes(2**20), "an entry should have"),
    "negative size": (header(b"a.png", sized=b"\xff" * 12) + ONE, "negative size"),
    "negative size said later": (attributes(size=-5) + ONE, "expected a size in decimal digits"),
    "size in binary beyond all": (header(b"a.png", sized=b"\x80" + b"\xff" * 11), "an entry should have"),
    "size said later beyond all": (attributes(size=10**15) + ONE, "an entry should have"),
    "digits that are none": (header(b"a.png", sized=b"99999999999\0"), "octal digits"),
    "attributes that do not end": (entry(b"x", b"99 path=a\n", b"x") + ONE, "does not end where it says"),
    "attributes that are none": (entry(b"x", b"\xff" * 100, b"x") + ONE, "attributes of an entry cannot be read"),
    "a wrong checksum": (ONE[:100] + b"1" + ONE[101:], "checksum"),
    "a cut header": (ONE + ONE[:100], "ends within a header"),
    "nothing but a pipe": (header(b"a.png", 0, b"6"), "expected pictures"),
    "a million empty entries": (MANY * 50_000, "expected pictures"),
    "nested archives": (entry(b"a.tar", ONE), "expected pictures"),
    "compressed": (b"\x1f\x8b\x08" + bytes(600), "uncompressed tar file"),
}
TARS_READ = {
    "attributes on attributes": (attributes(path="a.png") * 5000 + ONE, ["a"]),
    "attributes for all": (attributes(b"g", path="../../etc/passwd") + ONE, ["one"]),
    "a path that leads out": (attributes(path="../../x.png") + ONE, ["../../x"]),
    "an absolute path": (attributes(path="/etc/passwd.png") + ONE, ["/etc/passwd"]),
    "a long name": (entry(b"name", b"d/" * 200 + b"x.png\0", b"L") + ONE, ["d/" * 200 + "x"]),
    "links and devices": (b"".join(header(b"l.png", 10**9, kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6")) + ONE, ["one"]),
    "sparse, of GNU's old form": (header(b"s.png", 0, b"S") + ONE, ["one"]),
    "sparse, of three newer forms": (
        attributes(GNU__sparse__major=1, GNU__sparse__minor=0, GNU__sparse__realsize=10**15) + entry(b"s.png", b"1\n0\n9\n")
        + attributes(GNU__sparse__map="0,10") + entry(b"t.png", b"x") + ONE, ["one"],
    ),
    "code under names that others decode": (
        b"".join(entry(f"one.{end}".encode(), pickle.dumps(print)) for end in ("pth", "pyd", "pickle", "pkl", "cbor")) + ONE,
        ["one"],
    ),
    "labels of any size": (entry(b"one.cls", b"9" * 70000) + entry(b"one.json", b"[" * 60000) + ONE, ["one"]),
    "two of a name": (entry(b"a/one.png", PICTURE) + ONE, ["a/one", "one"]),
}  # fmt: skip


def read(spec):
    dataset = open_dataset(spec)
    shard = read_shard(dataset, range(min(3, len(dataset))), SMALL, workers=1)
    assert all("expected" in reason for _, reason in shard.skipped)
    return dataset


@pytest.mark.parametrize("name", TARS_REFUSED)
def test_tar_archives_that_lie_are_refused(judge, name):
    content, message = TARS_REFUSED[name]
    path = judge.file(content, ".tar")
    with judge.strictly("tar shards, made up"), pytest.raises(InputError, match=message):
        read(f"webdataset:{path}")


@pytest.mark.parametrize("name", TARS_READ)
def test_odd_tar_archives_are_read_where_they_lie(judge, name):
    content, names = TARS_READ[name]
    path = judge.file(content + bytes(1024), ".tar")
    with judge.strictly("tar shards, made up"):
        assert [member.name for member in read(f"webdataset:{path}").members] == [
            f"{path.stem}/{name}" for name in names
        ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a/b.png", "d/" * 60 + "x.png", "ü.png", "e" * 90 + ".png"])
def test_archives_of_python_are_read(judge, form, name):
    path = judge.folder / "python.tar"
    with tarfile.open(path, "w", format=form) as archive:
        for file in (name, "z.png"):
            found = tarfile.TarInfo(file)
            found.size = len(PICTURE)
            archive.addfile(found, io.BytesIO(PICTURE))
    assert [member.name for member in read(f"webdataset:{path}").members] == [f"python/{name[:-4]}", "python/z"]


@pytest.mark.parametrize(
    "start", [b"", ONE, header(b"n", 2**33 - 1, b"L"), header(b"n", 2**33 - 1, b"x"), header(b"n.png", 2**33 - 1)]
)
def test_sparse_archives_are_not_read(judge, start):
    path = judge.file(start, ".tar")
    os.truncate(path, 40 * 2**30)
    with judge.strictly("tar shards, made up"):
        read(f"webdataset:{path}")
    path.unlink()


@pytest.mark.parametrize("spec", ["webdataset:{}/f.tar", "parquet:{}/f.parquet", "parquet:{}", "list:{}/f.txt", "csv:{}/f.csv",
                                  "cifar10:{}", "places365:{}", "ilsvrc2012:{}", "huggingface:{}"])  # fmt: skip
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_no_layout_opens_what_is_no_plain_file(tmp_path, judge, spec, kind):
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "f.arrow"}]}')
    (tmp_path / "val_256").mkdir()
    for name in ("f.tar", "f.parquet", "f.txt", "f.csv", "f.arrow", "test_batch.bin", "places365_val.txt", "meta.mat"):
        if kind == "pipe":
            os.mkfifo(tmp_path / name)
        elif kind == "device":
            (tmp_path / name).symlink_to("/dev/zero")
        else:
            (tmp_path / name).touch()
            os.truncate(tmp_path / name, 40 * 3073 * 2**18)
    if spec.startswith("huggingface"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with judge.strictly("data sets, made up"), pytest.raises(InputError, match="cannot use"):
        read(spec.format(tmp_path))


def test_names_of_parquet_files_are_no_patterns(tmp_path, judge):
    import polars as pl

    for name in ("*.parquet", "[ab].parquet", "label=7.parquet"):
        pl.DataFrame({"image": [PICTURE], "label": [1]}).write_parquet(tmp_path / name)
    assert open_dataset(f"parquet:{tmp_path}").labels == (1, 1, 1)


# --- Arrow


class Marking:
    """Unpickling makes a folder: code would have run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def in_arrow(folder, table, **options):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}]}))
    with pyarrow.ipc.new_stream(
        folder / "a.arrow", table.schema, options=pyarrow.ipc.IpcWriteOptions(**options)
    ) as writer:
        writer.write_table(table)
    return f"huggingface:{folder}"


def tables(marker):
    """Name, table, options, and the message, if it is refused."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    images = pa.array([PICTURE] * 3, pa.binary())
    code = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Marking(marker)),
    }

    def one(kind, metadata, array=images):
        return pa.Table.from_arrays(
            [images, array],
            schema=pa.schema([pa.field("image", pa.binary()), pa.field("label", kind, metadata=metadata)]),
        )

    labels = pa.array([0, 1, 2])
    yield "an extension that is a pickle", one(pa.int64(), code, labels), {}, None
    yield "an unknown extension", one(pa.int64(), {"ARROW:extension:name": "os.system"}, labels), {}, None
    yield "metadata of pandas", pa.table({"image": images}).replace_schema_metadata({"pandas": "[" * 10**5}), {}, None
    yield (
        "run-end encoded labels",
        pa.table(
            {"image": images, "label": pa.RunEndEncodedArray.from_arrays(pa.array([3], pa.int32()), pa.array([1]))}
        ),
        {},
        None,
    )
    yield (
        "a union",
        pa.table({"image": images, "label": pa.UnionArray.from_sparse(pa.array([0] * 3, pa.int8()), [labels])}),
        {},
        None,
    )
    yield "a path", pa.table({"image": [{"path": "/etc/passwd", "bytes": None}] * 3}), {}, "to hold bytes"
    yield "an address", pa.table({"image": ["http://host/a.png"] * 3}), {}, "to hold bytes"
    yield "names for pictures", pa.table({"image": images.dictionary_encode()}), {}, "to hold bytes"
    yield (
        "a column twice",
        pa.Table.from_arrays([images, images], names=["image", "image"]),
        {},
        "expected one column 'image'",
    )
    yield (
        "labels twice",
        pa.Table.from_arrays([images, labels, labels], names=["image", "label", "label"]),
        {},
        "one column 'label'",
    )
    swelling = pa.table({"image": pa.array([bytes(2**27)], pa.binary())})
    for codec in ("lz4", "zstd"):
        yield f"swelling by {codec}", swelling, {"compression": codec}, "without compression"
        yield (
            f"swelling beside it by {codec}",
            pa.table({"image": pa.array([PICTURE]), "other": swelling["image"]}),
            {"compression": codec},
            "without compression",
        )


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::FutureWarning")  # pyarrow 17: runs no pickle either
def test_arrow_runs_nothing_and_follows_nothing(tmp_path, judge):
    for number, (name, table, options, message) in enumerate(tables(tmp_path / "was run")):
        (tmp_path / str(number)).mkdir()
        spec = in_arrow(tmp_path / str(number), table, **options)
        with judge.strictly("folders of Arrow, made up"):
            if message is None:
                assert len(read(spec)) == 3, name
            else:
                with pytest.raises(InputError, match=message):
                    read(spec)
    assert not (tmp_path / "was run").exists()


# --- MATLAB's files


def matrix(kind, inner, size=(1, 1)):
    """An array of MATLAB's: a cell (1), or one of functions (16)."""
    content = (
        struct.pack("<IIII", 6, 8, kind, 0)
        + struct.pack("<IIii", 5, 8, *size)
        + struct.pack("<II", 1, 7)
        + b"synsets\0"
    )
    return struct.pack("<II", 14, len(content) + len(inner)) + content + inner


def nested(depth):
    found = b""
    for _ in range(depth):
        found = matrix(1, found)
    return found


MAT = b"MATLAB 5.0 MAT-file".ljust(124, b" ") + struct.pack("<H", 0x100) + b"IM"
MATS = {
    "arrays within arrays": MAT + nested(3000),
    "the same, compressed": MAT
    + (lambda packed: struct.pack("<II", 15, len(packed)) + packed)(zlib.compress(nested(3000))),
    "swelling": MAT + (lambda packed: struct.pack("<II", 15, len(packed)) + packed)(zlib.compress(bytes(2**28))),
    "a function": MAT + matrix(16, nested(1)),
    "cells without end": MAT + matrix(1, b"", (2**15, 2**15)),
    "nothing": b"",
    "text": b"x" * 200,
}


@pytest.mark.parametrize("name", MATS)
def test_matlab_files_that_swell_or_nest_are_refused(judge, tmp_path, name):
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(PICTURE)
    (tmp_path / "ILSVRC2012_validation_ground_truth.txt").write_text("1")
    (tmp_path / "meta.mat").write_bytes(MATS[name])
    with (
        judge.strictly("files of MATLAB, made up"),
        pytest.raises(InputError, match=r"expected the devkit's meta\.mat"),
    ):
        read(f"ilsvrc2012:{tmp_path}")
