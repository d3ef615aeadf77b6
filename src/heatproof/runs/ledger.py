"""Which files of a folder heatproof wrote: a line for each, noted before the file appears.

Nothing but these files is ever replaced or deleted. A file that another program made or changed has another hash
than the one that was noted.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from heatproof.errors import InputError
from heatproof.guarded import read_regular
from heatproof.runs.atomic_files import LEFTOVER, append_line, disk_errors, put_file

LEDGER, LOCK = "written.jsonl", "lock"
HEAD = b'{"heatproof": "wrote these files of this folder, and will replace or delete no others"}\n'
GROWS = "grows"  # noted instead of a hash, for a file that lines are added to
EVENT = b'{"time": '  # how every line begins that is added; see log.RunLog
LONGEST_LOCK, LARGEST_LEDGER = 4096, 2**30  # bytes; a million images with eight methods take 40 MB

Ledger = dict[str, set[str]]


def begin_ledger(folder: Path) -> None:
    """Notes from now on which files of a folder are written."""
    if not is_ledger(folder / LEDGER):
        put_file(folder / LEDGER, HEAD)


def write_noted(folder: Path, name: str, data: bytes) -> None:
    """Writes a file of a folder whole, and notes it in the folder's ledger before; InputError as check_replaceable."""
    with disk_errors("written", folder / name):
        check_replaceable(folder, name)
        note(folder, name, data)
    put_file(folder / name, data)


def note(folder: Path, name: str, data: bytes | None) -> None:
    """Notes that a file is about to be written (``None``: lines will be added to it), if there is a ledger.

    Runs of earlier versions have none.
    """
    if is_ledger(folder / LEDGER):
        line = json.dumps({"name": name, "blake2b": GROWS if data is None else digest(data)}) + "\n"
        append_line(folder / LEDGER, line.encode())


def is_ledger(path: Path) -> bool:
    """Whether a file is a ledger, and not another file of that name."""
    return path.is_file() and not path.is_symlink() and _beginning(path, len(HEAD)) == HEAD


def digest(data: bytes) -> str:
    """Which bytes these are, for a run that says what was written."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def ledger_of(folder: Path, name: str = "") -> Ledger | None:
    """The hashes that were noted for each name, or for one; None where there is no ledger. Torn lines are left out."""
    path = folder / LEDGER
    if not is_ledger(path):
        return None
    noted: Ledger = {}
    only = json.dumps(name).encode() if name else b""
    for line in read_regular(path, f"{LEDGER!r} of {folder}", at_most=LARGEST_LEDGER).splitlines():
        if only not in line:
            continue
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            entry = json.loads(line)
            noted.setdefault(str(entry["name"]), set()).add(str(entry["blake2b"]))
    return noted


def check_replaceable(folder: Path, name: str) -> None:
    """Refuses to replace a file that heatproof did not write as it is there now, where there is a ledger."""
    path = folder / name
    noted = ledger_of(folder, name) if os.path.lexists(path) else None
    if noted is not None and not _is_as_written(path, name, noted):
        raise InputError(
            f"{str(path)!r} has changed since heatproof wrote it, so it is not replaced; move it away, and give the "
            "same command again"
        )


def unrecorded_files(folder: Path) -> Iterator[str]:
    """Names of everything in a folder that its ledger does not have as it is: files, links, and folders of others."""
    noted = ledger_of(folder) or {}
    folders = _folders(noted)
    for path, name in _entries(folder):
        if path.is_dir() and not path.is_symlink():
            if name not in folders:
                yield f"{name}/"
        elif not _is_as_written(path, name, noted):
            yield name


def delete_written(folder: Path, spare: Collection[str] = ()) -> None:
    """Deletes what heatproof wrote into a folder but for names to ``spare``, the ledger last; everything else stays."""
    noted = ledger_of(folder) or {}
    made = _folders(noted)
    for path, name in sorted(_entries(folder), reverse=True):  # what lies in a folder comes before it
        if name in made and path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # something else lies in it
                path.rmdir()
        elif name not in (LEDGER, *spare) and not path.is_dir() and _is_as_written(path, name, noted):
            path.unlink()
    left = {name for _, name in _entries(folder)}
    if LEDGER not in spare and left <= {LEDGER, *spare} and is_ledger(folder / LEDGER):
        (folder / LEDGER).unlink()


def _folders(noted: Ledger) -> set[str]:
    """Folders that hold what was noted."""
    return {parent.as_posix() for name in noted for parent in Path(name).parents}


def _entries(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything below a folder with its name from there; links are not followed."""
    for parent, folders, files in os.walk(folder):
        for entry in sorted([*folders, *files]):
            path = Path(parent, entry)
            yield path, path.relative_to(folder).as_posix()


def _is_as_written(path: Path, name: str, noted: Ledger) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    if LEFTOVER.fullmatch(path.name):
        return True
    if name == LEDGER:
        return is_ledger(path)
    if name == LOCK:
        return is_lock(_beginning(path, LONGEST_LOCK + 1))
    hashes = noted.get(name, set())
    if not hashes:
        return False
    with path.open("rb") as file:
        if GROWS in hashes and all(line.startswith(EVENT) or EVENT.startswith(line.rstrip(b"\n")) for line in file):
            return True  # a full disk may have torn a line
        file.seek(0)
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest() in hashes


def is_lock(content: bytes) -> bool:
    """Whether a file with this content is a lock: it is empty, says who holds it, or was emptied by a power failure."""
    try:
        return not content.strip(b"\0") or {"pid", "host", "since"} <= set(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return False


def _beginning(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
