"""Arrays that Zarr writes are read as Zarr reads them, and what their metadata do not allow is refused."""

import numpy as np
import pytest
import zarr
from numcodecs import Blosc, GZip, Shuffle, Zlib, Zstd
from numcodecs.lz4 import LZ4
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

from heatproof.chunked import ZarrArray, ZarrFolder

SHAPE, CHUNKS = (5, 7, 6), (2, 3, 6)
VALUES = np.random.default_rng(0).normal(size=SHAPE)
BLOSCS = {f"blosc {name}": {"compressors": BloscCodec(cname=name)} for name in ("lz4", "zstd", "zlib", "lz4hc")}
FORMATS = BLOSCS | {
    "as Zarr has it": {},
    "nothing": {"compressors": None},
    "big-endian": {"serializer": BytesCodec(endian="big")},
    "gzip": {"compressors": GzipCodec()},
    "zstd with a checksum": {"compressors": ZstdCodec(checksum=True)},
    "zstd, crc32c": {"compressors": [ZstdCodec(), Crc32cCodec()]},
    "blosc, zstd": {"compressors": [BloscCodec(), ZstdCodec()]},
    "bit shuffle": {"compressors": BloscCodec(shuffle="bitshuffle")},
    "transposed": {"filters": [TransposeCodec(order=(2, 0, 1))]},
    "transposed twice": {"filters": [TransposeCodec(order=(2, 0, 1)), TransposeCodec(order=(1, 0, 2))]},
    "shards": {"shards": (4, 6, 6)},
    "shards of chunks that are transposed": {"shards": (4, 6, 6), "filters": [TransposeCodec(order=(2, 0, 1))]},
    "names with dots": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    "names of format 2": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    "NaN": {"fill_value": np.nan},
    "infinity": {"fill_value": -np.inf},
    **{f"format 2, {name}": {"zarr_format": 2, "compressors": codec} for name, codec in {
        "blosc": Blosc(), "zstd": Zstd(), "gzip": GZip(), "zlib": Zlib(), "lz4": LZ4(), "nothing": None,
    }.items()},
    "format 2, as Zarr has it": {"zarr_format": 2},
    "format 2, shuffled": {"zarr_format": 2, "filters": [Shuffle(8)], "compressors": Zlib()},
    "format 2, columns first": {"zarr_format": 2, "order": "F"},
    "format 2, folders": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
}  # fmt: skip
TYPES = ["bool", "int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64", "<U5"]


def written(path, values, **options):
    options.setdefault("chunks", CHUNKS)
    with np.errstate(all="ignore"):
        array = zarr.create_array(str(path), shape=values.shape, dtype=values.dtype, overwrite=True, **options)
        array[1:4] = values[1:4]
    return ZarrArray(ZarrFolder(path), ""), zarr.open_array(str(path), mode="r")[:]


@pytest.mark.filterwarnings("ignore:.*Zarr:UserWarning", "ignore:The data type")
@pytest.mark.parametrize("name", FORMATS)
def test_what_zarr_writes_is_read_as_zarr_reads_it(name, tmp_path):
    ours, theirs = written(tmp_path, VALUES, **FORMATS[name])
    np.testing.assert_array_equal(ours.read(), theirs)
    np.testing.assert_array_equal(ours.read([4, 1, 1, 2]), theirs[[4, 1, 1, 2]])
    assert (ours.shape, ours.dtype) == (SHAPE, np.float64)


@pytest.mark.filterwarnings("ignore:The data type")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_types(dtype, zarr_format, tmp_path):
    values = np.abs(VALUES * 10).astype(dtype)
    ours, theirs = written(tmp_path, values, zarr_format=zarr_format)
    np.testing.assert_array_equal(ours.read(), theirs)
    assert ours.dtype == values.dtype


@pytest.mark.filterwarnings("ignore:The data type", "ignore:The codec")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_texts_of_any_length(zarr_format, tmp_path):
    array = zarr.create_array(str(tmp_path), shape=(5,), chunks=(2,), dtype=str, zarr_format=zarr_format)
    array[:3] = np.array(["a", "é", ""], dtype=object)
    assert ZarrArray(ZarrFolder(tmp_path), "").read().tolist() == ["a", "é", "", "", ""]


def test_one_number(tmp_path):
    array = zarr.create_array(str(tmp_path), shape=(), dtype="f4")
    array[...] = 2.5
    assert ZarrArray(ZarrFolder(tmp_path), "").read() == 2.5
