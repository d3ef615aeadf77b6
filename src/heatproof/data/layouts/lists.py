"""Text lists of pictures: ``path[ label]`` lines, or CSV with a header."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from heatproof.data.dataset import LARGEST_LABEL, Dataset, Member
from heatproof.data.decoding import decode
from heatproof.data.layouts.opening import DATASETS, read_text
from heatproof.errors import InputError

PATH_COLUMNS = ("path", "file", "filename", "image")
LABEL_COLUMNS = ("label", "class_index", "class", "target")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: its number (from 1), the path that it names, and the class index, if it has one."""

    line: int
    path: str
    label: int | None


@DATASETS.register("list")
def text_list(path: Path, *, root: str = ".") -> Dataset:
    """A text file of 'path' or 'path label' lines, or CSV with columns path and label; paths start at the file."""
    entries = read_list(path)
    return listed("list", path, entries, path.parent / root)


def read_list(path: Path) -> list[Entry]:
    """The lines of a list that are not empty; the last word of a line is its label if it is a whole number.

    A file that ends in ``.csv`` and begins with a header is read by its columns ``path`` (or ``file``) and ``label``
    (or ``class_index``).
    """
    text = read_text(path)
    header = [name.strip().lower() for name in text.partition("\n")[0].split(",")]
    is_csv = path.suffix.lower() == ".csv" and any(name in PATH_COLUMNS for name in header)
    entries = list(_columns(text) if is_csv else _lines(text))
    if not entries:
        raise InputError(f"expected lines 'path' or 'path label' in {path.name!r}, got none")
    return entries


def listed(name: str, path: Path, entries: list[Entry], root: Path, classes: tuple[str, ...] = ()) -> Dataset:
    """The pictures of a list; what is missing or listed twice is skipped when read, with the number of its line."""
    members: list[Member] = []
    seen: dict[str, int] = {}
    for entry in entries:
        where = f"line {entry.line} of {path.name}"
        if classes and entry.label is not None and not 0 <= entry.label < len(classes):
            raise InputError(f"{where}: expected a label from 0 to {len(classes) - 1}, got {entry.label}")
        if entry.path in seen:
            reading = partial(_refuse, f"{where}: listed before, in line {seen[entry.path]}")
            members.append(Member(f"{entry.path} (line {entry.line})", reading, entry.label))
            continue
        seen[entry.path] = entry.line
        source = _Listed(str(root), entry.path, entry.line, path.name)
        members.append(Member(entry.path, source, entry.label))
    return Dataset(name, tuple(members), classes, () if entries[0].label is not None else ("no labels in the list",))


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), start=1):
        labelled = re.fullmatch(r"(.*\S)\s+([0-9]+)", line.strip())
        if labelled:
            yield Entry(number, labelled[1], label_of(labelled[2], number))
        elif line.strip():
            yield Entry(number, line.strip(), None)


def _columns(text: str) -> Iterator[Entry]:
    rows = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(rows)]
    path_column = next(header.index(name) for name in PATH_COLUMNS if name in header)
    label_column = next((header.index(name) for name in LABEL_COLUMNS if name in header), None)
    for row in rows:
        if not any(row):
            continue
        label = row[label_column].strip() if label_column is not None and label_column < len(row) else ""
        if label and not (label.isascii() and label.isdigit()):
            raise InputError(f"line {rows.line_num}: expected a class index as label, got {label!r}")
        if path_column >= len(row) or not row[path_column].strip():
            raise InputError(f"line {rows.line_num}: expected a path in column {header[path_column]!r}, got none")
        yield Entry(rows.line_num, row[path_column], label_of(label, rows.line_num) if label else None)


def label_of(text: str, line: int) -> int:
    """A class index; Python would take its time for one of a million digits."""
    if len(text) > len(str(LARGEST_LABEL)):
        raise InputError(f"line {line}: expected a class index up to {LARGEST_LABEL}, got {text:.40}")
    return int(text)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A picture below a folder, and the line that names it."""

    folder: str
    path: str
    line: int
    file: str

    def __call__(self, max_pixels: int) -> Image.Image:
        path = Path(self.folder, self.path)
        try:
            return decode(path, max_pixels)
        except InputError as error:
            where = "" if path.exists() else f" (looked for in {self.folder!r})"
            raise InputError(f"line {self.line} of {self.file}: {error}{where}") from error


def _refuse(reason: str, _: int) -> Image.Image:
    raise InputError(reason)
