"""The list of runs in and below a folder; the folder is only read."""

import os
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from heatproof.errors import InputError
from heatproof.runs.objects import RECORD
from heatproof.runs.progress import State, read_progress
from heatproof.runs.run_record import read_any
from heatproof.runs.store import LocalStore

DEEPEST, MOST_ENTRIES, MOST_RUNS = 8, 200_000, 1_000
LAST_DATE = 1e11  # seconds; file systems hold dates that calendars do not
LONGEST = 500  # characters of what a record says


@dataclass(frozen=True)
class Run:
    """A run."""

    name: str  # its path from the folder that was searched
    path: Path  # its folder, from the root and without links
    study: str  # empty if its record cannot be read
    state: State | Literal["unreadable"]
    images: int | None  # that were evaluated so far
    members: int | None  # of the data set, while the run is not finished
    verdict: str  # its first sentence; of a run that is unreadable, why
    date: datetime  # when its record was last written

    @property
    def count(self) -> str:
        """Number of the images, in words."""
        if self.images is None:
            return ""
        return f"{self.images:,}" if self.members is None else f"{self.images:,} of {self.members:,}"

    def describe(self) -> dict[str, Any]:
        """The entry as JSON-able values."""
        return asdict(self) | {"path": str(self.path), "date": self.date.isoformat(timespec="seconds")}


@dataclass(frozen=True)
class RunList:
    """Runs, the newest first, and what a reader must know of the search."""

    runs: tuple[Run, ...]
    notes: tuple[str, ...]


def runs_below(folder: Path) -> RunList:
    """All folders with a ``run.json`` in or below a folder; links are not followed, hidden folders are left out.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> LocalStore(place / "torn").put("run.json", b"{")
    >>> [(run.name, run.state) for run in runs_below(place).runs]
    [('torn', 'unreadable')]

    Raises:
        InputError: if it is no folder.
        OSError: if it cannot be read; what lies below and cannot be read is left out.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder with runs, got {str(folder)!r}")
    root = Path(os.path.realpath(folder))
    paths, notes = _search(root)
    runs = [run for path in paths if (run := _run(path, root))]
    return RunList(tuple(sorted(runs, key=lambda run: (-run.date.timestamp(), run.name))), tuple(notes))


def _search(root: Path) -> tuple[list[Path], list[str]]:
    """Folders that are runs, near ones first; what lies in a run is not searched."""
    found: list[Path] = []
    pending, seen, too_deep = deque([(root, 0)]), 0, False
    while pending and len(found) < MOST_RUNS and seen < MOST_ENTRIES:
        place, depth = pending.popleft()
        try:
            with os.scandir(place) as opened:
                entries = list(islice(opened, MOST_ENTRIES - seen))
            folders = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
        except OSError:
            if place == root:
                raise
            continue
        seen += len(entries)
        if any(entry.name == RECORD and entry.name not in folders for entry in entries):
            found.append(place)
        elif depth < DEEPEST:
            pending.extend((place / name, depth + 1) for name in folders)
        else:
            too_deep = too_deep or bool(folders)
    notes = [f"folders more than {DEEPEST} levels deep were not searched"] if too_deep else []
    if pending:
        notes.append(f"not all was searched: it ends after {MOST_RUNS:,} runs or {MOST_ENTRIES:,} files and folders")
    return found, notes


def _run(path: Path, root: Path) -> Run | None:
    """The run in a folder; None if it went away meanwhile."""
    name, store = str(path.relative_to(root)), LocalStore(path)
    try:
        written = (path / RECORD).lstat().st_mtime
    except OSError:
        return None
    date = datetime.fromtimestamp(min(max(written, 0), LAST_DATE), UTC)
    try:
        record = read_any(store)
        if record.verdict is None:
            progress = read_progress(store)
            study = progress.study[:LONGEST]
            return Run(name, path, study, progress.state, progress.images, progress.members, "", date)
    except Exception as error:  # whatever a stranger's run is, it must not end the list of all others
        return Run(name, path, "", "unreadable", None, None, (str(error) or type(error).__name__)[:LONGEST], date)
    images = None if record.images is None else len(record.images)
    return Run(name, path, record.study, "finished", images, None, "".join(record.verdict[:1])[:LONGEST], date)
