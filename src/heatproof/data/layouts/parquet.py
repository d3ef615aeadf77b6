"""Parquet files with the bytes of pictures, as the Hugging Face hub and others store data sets."""

import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from heatproof.data.dataset import Dataset, Member, as_text
from heatproof.data.layouts.opening import DATASETS, without_labels
from heatproof.data.layouts.rows import PictureInRow, RowReader, class_names
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
    if not files:
        raise InputError("expected a Parquet file or a folder with *.parquet, got a folder without any")
    rows = [(file, row, value) for file in files for row, value in enumerate(_labels(file, image, label))]
    found = {value for _, _, value in rows if isinstance(value, str)}
    classes = tuple(sorted(found)) or _named(files[0], label)
    indices = {name: index for index, name in enumerate(classes)}
    reader = ParquetBlocks(image)
    members = tuple(
        Member(f"{as_text(file.stem)}-{row:05d}", PictureInRow(reader, file, row), _index(value, indices))
        for file, row, value in rows
    )
    return Dataset("parquet", members, classes, without_labels(members))


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
        if label not in columns:
            return [None] * int(table.select(pl.len()).collect().item())
        if not (columns[label].is_integer() or columns[label] == pl.String):
            raise InputError(f"expected column {label!r} to hold class indices or names, got {columns[label]}")
        labels = table.select(label).collect()[label]
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


class ParquetBlocks(RowReader):
    """The blocks of rows that were read last."""

    most_kept = 2

    def content(self, file: Path, row: int) -> bytes | None:
        """The bytes in one row."""
        block = self.kept(file, row // BLOCK)
        content: bytes | None = block[row % BLOCK] if row % BLOCK < len(block) else None
        return content

    def load(self, file: Path, part: int) -> pl.Series:
        """A block of rows."""
        (image,) = self.columns
        try:
            rows = _scan(file).select(image).slice(part * BLOCK, BLOCK).collect()[image]
            return rows.struct.field("bytes") if isinstance(rows.dtype, pl.Struct) else rows
        except BROKEN as error:
            raise InputError(f"expected a complete Parquet file, got a damaged one: {error}") from error
