"""Tables that others write are let through; those that would swell are refused before anything is unpacked."""

import io

import numpy as np
import polars as pl
import pytest

from heatproof.errors import InputError
from heatproof.parquet import check_parquet
from heatproof.runs.serialization import from_parquet, parquet_bytes

ROWS = 3000
NOISE = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "text": [f"name {number % 7}" for number in range(ROWS)],
        "bytes": [NOISE.bytes(50) for _ in range(ROWS)],
        "whole": NOISE.integers(0, 10**6, ROWS),
        "float": NOISE.normal(size=ROWS),
        "none": [None] * ROWS,
        "list": [[float(one) for one in range(number % 5)] for number in range(ROWS)],
        "struct": [{"bytes": b"x", "path": None}] * ROWS,
        "flag": NOISE.integers(0, 2, ROWS).astype(bool),
    }
)
WAYS = {
    "polars": {},
    **{name: {"compression": name} for name in ("uncompressed", "snappy", "gzip", "lz4", "brotli")},
    "row groups": {"row_group_size": 700},
    "small pages": {"data_page_size": 500},
    "statistics": {"statistics": "full"},
}
ARROW_WAYS = {
    "arrow": {},
    "version 2 pages": {"data_page_version": "2.0"},
    "no dictionaries": {"use_dictionary": False, "compression": "gzip"},
    "differences": {"use_dictionary": False, "column_encoding": {"whole": "DELTA_BINARY_PACKED"}},
    "lengths": {"use_dictionary": False, "column_encoding": {"bytes": "DELTA_LENGTH_BYTE_ARRAY"}},
    "split": {"use_dictionary": False, "column_encoding": {"float": "BYTE_STREAM_SPLIT"}},
    "page index": {"write_page_index": True, "row_group_size": 500},
}


def arrow_bytes(frame, **options):
    parquet = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(frame.to_arrow(), file, **options)
    return file.getvalue()


def polars_bytes(frame, **options):
    file = io.BytesIO()
    frame.write_parquet(file, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", [*WAYS, *ARROW_WAYS])
def test_what_others_write_is_read(name):
    data = polars_bytes(FRAME, **WAYS[name]) if name in WAYS else arrow_bytes(FRAME, **ARROW_WAYS[name])
    assert check_parquet(io.BytesIO(data), "it", most_rows=ROWS) == ROWS
    assert check_parquet(io.BytesIO(data), "it", most_rows=ROWS, columns=["struct"]) == ROWS
    assert from_parquet(data, "it").height == ROWS
    with pytest.raises(InputError, match="it has 3,000 rows; expected at most 2,999"):
        check_parquet(io.BytesIO(data), "it", most_rows=ROWS - 1)


def test_an_empty_table():
    assert from_parquet(parquet_bytes(FRAME.clear()), "it").height == 0


def swollen():
    """Small files that are large in memory."""
    million = 10**6
    text = "x" * 10**6
    return {
        "rows": (pl.DataFrame({"a": pl.repeat(1, 2 * million, eager=True)}), "2,000,000 rows; expected at most 1,"),
        "numbers": (pl.DataFrame({"a": [np.zeros(20 * million)]}), "would become 3..,...,... in memory"),
        "nothing": (pl.DataFrame({"a": [[None] * 20 * million]}), "would become 3..,...,... in memory"),
        "texts": (pl.DataFrame({"a": [text] * 1000}), "'it' has 1,000,000,000 bytes; expected at most 67,108,864"),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["rows", "numbers", "nothing", "texts"])
def test_what_would_swell_is_refused(name):
    frame, message = swollen()[name]
    data = parquet_bytes(frame)
    assert len(data) < 10**6
    with pytest.raises(InputError, match=message):
        from_parquet(data, "'it'")


def test_prefixes_are_refused():
    data = arrow_bytes(FRAME[["text"]], use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
    with pytest.raises(InputError, match="pages of encoding 7"):
        from_parquet(data, "it")


def test_a_page_that_says_another_number_than_the_footer_is_refused():
    """Readers make room for what the header of a page says."""
    frame = pl.DataFrame({"a": NOISE.normal(size=100)})
    data = bytearray(polars_bytes(frame, compression="uncompressed", statistics=False))
    place = data.index(b"\x15\xc8\x01", 4)  # number of values, 100, in the header of the page
    data[place : place + 3] = b"\x15\xca\x01"
    with pytest.raises(InputError, match="a column has 101 values, its footer says 100"):
        from_parquet(bytes(data), "it")
