"""``NAME:PATH`` becomes a data set."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from heatproof.data.dataset import Dataset, Member
from heatproof.data.sources import examine
from heatproof.errors import InputError
from heatproof.guarded import read_regular
from heatproof.registry import Registry, unknown

Layout = Callable[..., Dataset]  # (path, *, options) -> Dataset

DATASETS: Registry[Layout] = Registry("data set")
LARGEST_TEXT = 2**28  # bytes; the list of all 1.8 million pictures of Places365 has 0.07 GB
PATTERNS = ("webdataset",)  # whose path may be a pattern of several files


def open_dataset(spec: str) -> Dataset:
    """The data set that ``NAME:PATH`` or ``NAME[option=value]:PATH`` means; its pictures are not read yet.

    Raises:
        InputError: for an unknown name or option, a missing path, or files that are not laid out as expected.
    """
    end = spec.find("]:") + 1 if "[" in spec.partition(":")[0] else spec.find(":")
    name, path = (spec[:end], spec[end + 1 :]) if end > 0 else (spec, "")
    if not path:
        raise InputError(f"expected NAME:PATH, such as folder:photos, got {spec!r}; known names: {', '.join(DATASETS)}")
    layout = DATASETS.resolve(name)
    try:
        if not (name.partition("[")[0] in PATTERNS and set(path) & set("{*?")):
            examine(Path(path))
        dataset: Dataset = layout(Path(path))
    except (InputError, OSError) as error:
        raise InputError(f"cannot use {path!r} as {name}: {error}") from error
    return dataset


def names_dataset(spec: str) -> bool:
    """Whether a text means a data set by name, and no file that is called so.

    >>> names_dataset("parquet[label=class]:photos"), names_dataset("photos"), names_dataset("a:b")
    (True, False, False)
    """
    name, colon, _ = re.sub(r"\[.*?\]", "", spec, count=1).partition(":")
    return bool(colon) and name in DATASETS and not os.path.lexists(spec)


def check_option(option: str, given: str, known: Sequence[str]) -> None:
    """Refuses an option's value that is not known."""
    if given not in known:
        raise InputError(unknown(option, given, known))


def find(path: Path, places: Iterable[str]) -> Path | None:
    """The first of some places below ``path`` where something is."""
    return next((path / place for place in places if (path / place).exists()), None)


def expect(path: Path, places: Sequence[str]) -> Path:
    """Finds a file as :func:`find` does; an error says where it was looked for."""
    found = find(path, places)
    if found is None:
        raise InputError(f"expected {' or '.join(places)} in it, found none of these")
    return found


def read_text(path: Path) -> str:
    """A text file of the data set."""
    if path.is_dir():
        raise InputError("expected a file, got a folder; 'folder:' takes class folders")
    try:
        return read_regular(path, repr(path.name), at_most=LARGEST_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected a text file in UTF-8, got {path.name!r}: {error}") from error


def without_labels(members: Iterable[Member]) -> tuple[str, ...]:
    """A note, unless all members have labels."""
    return () if all(member.label is not None for member in members) else ("no labels, or not for all pictures",)
