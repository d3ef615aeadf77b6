"""Parquet files with the bytes of pictures, as the Hugging Face hub and others store data sets."""

import json
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from heatproof.data.dataset import Dataset, Member, as_text
from heatproof.data.decoding import decode_bytes
from heatproof.data.layouts.arrow import class_names
from heatproof.data.layouts.opening import DATASETS, check_regular
from heatproof.errors import InputError
from heatproof.guarded import check_size, opened
from heatproof.parquet import check_parquet

BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
FEW, SMALLEST = 10_000, 16  # rows that any file may have; bytes that a picture takes at least in a larger one
MOST_TEXT = 2**26  # bytes of all labels
BLOCK = 256  # rows that are read at once: members are mostly read one after the other


@DATASETS.register("parquet")
def parquet(path: Path, *, image: str = "image", label: str = "label") -> Dataset:
    """A Parquet file or a folder of them: column image (bytes, or a struct with a field bytes), column label."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    for file in files:
        check_regular(file)
    if not files:
        raise InputError("expected a Parquet file or a folder with *.parquet, got a folder without any")
    rows = [(file, row, value) for file in files for row, value in enumerate(_labels(file, image, label))]
    values = [value for _, _, value in rows]
    classes = tuple(sorted({value for value in values if isinstance(value, str)})) or _named(files[0], label)
    indices = {name: index for index, name in enumerate(classes)}
    blocks = _Blocks(image)
    members = tuple(
        Member(f"{as_text(file.stem)}-{row:05d}", _Row(blocks, file, row), _index(value, indices))
        for file, row, value in rows
    )
    notes = () if all(member.label is not None for member in members) else ("no labels, or not for all pictures",)
    return Dataset("parquet", members, classes, notes)


def _scan(file: Path) -> pl.LazyFrame:
    """The table in one file, whose name is no pattern and gives no column."""
    return pl.scan_parquet(file, glob=False, hive_partitioning=False)


def _labels(file: Path, image: str, label: str) -> list[Any]:
    """The label of each row, or None."""
    with opened(file, file.name) as stream:
        size = os.fstat(stream.fileno()).st_size
        check_parquet(stream, repr(file.name), most_rows=max(FEW, size // SMALLEST), columns=(image, label))
    try:
        table = _scan(file)
        columns = table.collect_schema()
        if image not in columns:
            raise InputError(f"expected a column {image!r} in {file.name!r}, got {', '.join(columns)}; set image=NAME")
        kind = columns[image]
        in_struct = isinstance(kind, pl.Struct) and any(f.name == "bytes" and f.dtype == pl.Binary for f in kind.fields)
        if kind != pl.Binary and not in_struct:
            raise InputError(f"expected column {image!r} to hold bytes, or a struct with a field bytes, got {kind}")
        wanted = pl.col(label) if label in columns else pl.lit(None).alias(label)
        if label in columns and not (columns[label].is_integer() or columns[label] == pl.String):
            raise InputError(f"expected column {label!r} to hold class indices or names, got {columns[label]}")
        height = int(table.select(pl.len()).collect().item())
        if label not in columns:
            return [None] * height
        labels = table.select(wanted).collect()[label]
        if labels.dtype == pl.String:  # a dictionary can say one long text a million times
            check_size(f"column {label!r} of {file.name!r}", int(labels.str.len_bytes().sum()), max(MOST_TEXT, size))
        return labels.to_list()
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"expected a Parquet file, got {file.name!r}: {error}") from error


def _named(file: Path, label: str) -> tuple[str, ...]:
    """Class names, where Hugging Face's datasets wrote them into the file."""
    try:
        stored = json.loads(pl.read_parquet_metadata(file).get("huggingface", "{}"))
        return class_names(stored["info"]["features"], label)
    except (*BROKEN, AttributeError, KeyError, TypeError, RecursionError):  # none, or none that could be read
        return ()


def _index(value: int | str | None, indices: dict[str, int]) -> int | None:
    """Class index; a negative one stands for none, as in test sets."""
    if isinstance(value, str):
        return indices[value]
    return value if value is not None and value >= 0 else None


class _Blocks:
    """The blocks of rows that were read last; when several threads want one, one of them reads it."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._lock = threading.Lock()
        self._cached = lru_cache(maxsize=2)(self._collect)

    def __reduce__(self) -> tuple[type["_Blocks"], tuple[str]]:
        return _Blocks, (self._image,)

    def content(self, file: Path, row: int) -> bytes | None:
        """The bytes in one row."""
        with self._lock:
            block = self._cached(file, row // BLOCK)
        content: bytes | None = block[row % BLOCK] if row % BLOCK < len(block) else None
        return content

    def _collect(self, file: Path, number: int) -> pl.Series:
        try:
            rows = _scan(file).select(self._image).slice(number * BLOCK, BLOCK).collect()[self._image]
            return rows.struct.field("bytes") if isinstance(rows.dtype, pl.Struct) else rows
        except BROKEN as error:
            raise InputError(f"expected a whole Parquet file, got a broken one: {error}") from error


@dataclass(frozen=True, slots=True)
class _Row:
    """The picture in one row."""

    blocks: _Blocks
    file: Path
    row: int

    def __call__(self, max_pixels: int) -> Image.Image:
        content = self.blocks.content(self.file, self.row)
        if content is None:
            raise InputError("expected the bytes of a picture, got none; paths to files elsewhere are not followed")
        return decode_bytes(content, max_pixels)
