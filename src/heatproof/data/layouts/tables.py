"""Tables of pictures and labels: CSV or TSV, with a header or without."""

import csv
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from heatproof.data.dataset import Dataset
from heatproof.data.layouts.lists import LABEL_COLUMNS, PATH_COLUMNS, Entry, label_of, listed
from heatproof.data.layouts.opening import DATASETS, read_text
from heatproof.errors import InputError
from heatproof.registry import is_whole, unknown


@DATASETS.register("csv")
def table(path: Path, *, image: str = "", label: str = "", root: str = ".") -> Dataset:
    """A CSV or TSV with pictures and labels (class indices or names): columns path and label, or no header."""
    if path.is_dir():
        raise InputError("expected a file, got a folder; 'folder:' takes class folders")
    rows = _rows(path)
    columns, first = _columns(rows[0][1], image, label)
    entries = [_entry(path, line, row, columns) for line, row in rows[first:]]
    if not entries:
        raise InputError(f"expected lines below the header of {path.name!r}, got none")
    labels = [label for _, label in entries]
    classes = () if all(not text or is_whole(text) for text in labels) else tuple(sorted(set(filter(None, labels))))
    indices = {name: index for index, name in enumerate(classes)}
    numbered = [
        Entry(entry.line, entry.path, None if not text else indices[text] if classes else label_of(text, entry.line))
        for entry, text in entries
    ]
    return listed("csv", path, numbered, path.parent / root, classes)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Numbers of lines and their fields, without the empty ones."""
    text = read_text(path)
    separator = "\t" if path.suffix.lower() == ".tsv" or "\t" in text.partition("\n")[0] else ","
    reader = csv.reader(text.splitlines(), delimiter=separator)
    try:
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {path.name}: {error}") from error
    if not rows:
        raise InputError(f"expected lines 'path,label' in {path.name!r}, got none")
    return rows


def _columns(header: Sequence[str], image: str, label: str) -> tuple[tuple[int, int | None], int]:
    """Which columns hold paths and labels, and the first row below the header, if there is one."""
    names = [name.lower() for name in header]
    paths = _place("image", image, names, PATH_COLUMNS)
    labels = _place("label", label, names, LABEL_COLUMNS)
    nearly = [name for name in names if get_close_matches(name, (*PATH_COLUMNS, *LABEL_COLUMNS), cutoff=0.75)]
    if paths is None and nearly:
        raise InputError(unknown("column of pictures (image=NAME):", "path", header))
    if paths is None:
        return (0, 1 if len(header) > 1 else None), 0
    return (paths, labels), 1


def _place(option: str, wanted: str, names: Sequence[str], usual: Sequence[str]) -> int | None:
    if wanted and wanted.lower() not in names:
        raise InputError(unknown(f"column of {option}=", wanted, names))
    found = [names.index(name) for name in ((wanted.lower(),) if wanted else usual) if name in names]
    return found[0] if found else None


def _entry(path: Path, line: int, row: Sequence[str], columns: tuple[int, int | None]) -> tuple[Entry, str]:
    """A picture below the table's folder, and its label."""
    named, labelled = columns
    where = f"line {line} of {path.name}"
    if named >= len(row) or not row[named]:
        raise InputError(f"{where}: expected a path in column {named + 1}, got none")
    given = PurePosixPath(row[named].replace("\\", "/"))
    if given.is_absolute() or ".." in given.parts or "\0" in row[named]:
        raise InputError(f"{where}: expected a path below the table's folder (or root=FOLDER), got {row[named]!r:.80}")
    return Entry(line, str(given), None), row[labelled] if labelled is not None and labelled < len(row) else ""
