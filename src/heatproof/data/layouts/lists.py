"""Lists of pictures: lines ``path[ label]``, and tables (CSV or TSV) with a header or without."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image

from heatproof.data.dataset import LARGEST_LABEL, Dataset, Member
from heatproof.data.decoding import decode
from heatproof.data.layouts.opening import DATASETS, read_text
from heatproof.errors import InputError
from heatproof.registry import is_whole, unknown

PATH_COLUMNS = ("path", "file", "filename", "image")
LABEL_COLUMNS = ("label", "class_index", "class", "target")


@dataclass(frozen=True, slots=True)
class ListedPath:
    """One line of a list: its number (from 1), the path that it names, and the class index, if it has one."""

    line: int
    path: str
    label: int | None = None


@DATASETS.register("list")
def text_list(path: Path, *, root: str = ".") -> Dataset:
    """A text file of 'path' or 'path label' lines, or CSV with columns path and label; paths start at the file."""
    return listed("list", path, read_list(path), path.parent / root)


@DATASETS.register("csv")
def table(path: Path, *, image: str = "", label: str = "", root: str = ".") -> Dataset:
    """A CSV or TSV with pictures and labels (class indices or names): columns path and label, or no header."""
    rows = _rows(path, read_text(path), image, label)
    if not rows:
        raise InputError(f"expected lines below the header of {path.name!r}, got none")
    labels = [text for _, text in rows]
    classes = () if all(not text or is_whole(text) for text in labels) else tuple(sorted(set(filter(None, labels))))
    indices = {name: index for index, name in enumerate(classes)}
    entries = []
    for entry, text in rows:
        given = PurePosixPath(entry.path.replace("\\", "/"))
        if given.is_absolute() or ".." in given.parts or "\0" in entry.path:
            raise InputError(
                f"line {entry.line} of {path.name}: expected a path below the table's folder (or root=FOLDER), got "
                f"{entry.path!r:.80}"
            )
        number = None if not text else indices[text] if classes else _label(text, entry.line)
        entries.append(ListedPath(entry.line, str(given), number))
    return listed("csv", path, entries, path.parent / root, classes)


def read_list(path: Path) -> list[ListedPath]:
    """The lines of a list that are not empty; the last word of a line is its label if it is a whole number.

    A file that ends in ``.csv`` and begins with a header is read by its columns ``path`` (or ``file``) and ``label``
    (or ``class_index``).
    """
    text = read_text(path)
    header = [name.strip().lower() for name in text.partition("\n")[0].split(",")]
    if path.suffix.lower() == ".csv" and any(name in PATH_COLUMNS for name in header):
        rows = _rows(path, text)
        entries = [replace(entry, label=_label(label, entry.line) if label else None) for entry, label in rows]
    else:
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
        entries = [_entry(number, line) for number, line in lines if line]
    if not entries:
        raise InputError(f"expected lines 'path' or 'path label' in {path.name!r}, got none")
    return entries


def listed(name: str, path: Path, entries: list[ListedPath], root: Path, classes: tuple[str, ...] = ()) -> Dataset:
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
        source = _ListedFile(str(root), entry.path, entry.line, path.name)
        members.append(Member(entry.path, source, entry.label))
    return Dataset(name, tuple(members), classes, () if entries[0].label is not None else ("no labels in the list",))


def _entry(number: int, line: str) -> ListedPath:
    labelled = re.fullmatch(r"(.*\S)\s+([0-9]+)", line)
    return ListedPath(number, labelled[1], _label(labelled[2], number)) if labelled else ListedPath(number, line)


def _rows(path: Path, text: str, image: str = "", label: str = "") -> list[tuple[ListedPath, str]]:
    """The paths and labels of a table below its header, if it has one."""
    separator = "\t" if path.suffix.lower() == ".tsv" or "\t" in text.partition("\n")[0] else ","
    reader = csv.reader(text.splitlines(), delimiter=separator)
    try:
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {path.name}: {error}") from error
    if not rows:
        raise InputError(f"expected lines 'path,label' in {path.name!r}, got none")
    named, labelled, first = _columns(rows[0][1], image, label)
    found = []
    for line, row in rows[first:]:
        if named >= len(row) or not row[named]:
            raise InputError(f"line {line} of {path.name}: expected a path in column {named + 1}, got none")
        found.append((ListedPath(line, row[named]), row[labelled] if 0 <= labelled < len(row) else ""))
    return found


def _columns(header: Sequence[str], image: str, label: str) -> tuple[int, int, int]:
    """Which columns hold paths and labels (-1 for none), and how many rows the header takes."""
    names = [name.lower() for name in header]
    paths = _place("image", image, names, PATH_COLUMNS)
    labels = _place("label", label, names, LABEL_COLUMNS)
    if paths >= 0:
        return paths, labels, 1
    if any(get_close_matches(name, (*PATH_COLUMNS, *LABEL_COLUMNS), cutoff=0.75) for name in names):
        raise InputError(unknown("column of pictures (image=NAME):", "path", header))
    return 0, 1 if len(header) > 1 else -1, 0


def _place(option: str, wanted: str, names: Sequence[str], usual: Sequence[str]) -> int:
    if wanted and wanted.lower() not in names:
        raise InputError(unknown(f"column of {option}=", wanted, names))
    return next((names.index(name) for name in ((wanted.lower(),) if wanted else usual) if name in names), -1)


def _label(text: str, line: int) -> int:
    """A class index; Python would take its time for one of a million digits."""
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"line {line}: expected a class index as label, got {text!r:.40}")
    if len(text) > len(str(LARGEST_LABEL)):
        raise InputError(f"line {line}: expected a class index up to {LARGEST_LABEL}, got {text:.40}")
    return int(text)


@dataclass(frozen=True, slots=True)
class _ListedFile:
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
