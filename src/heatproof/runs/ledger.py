"""Which files of a folder heatproof wrote: a line for each, noted before the file appears.

Nothing but these files is ever replaced or deleted. A file that somebody else put there, or changed, has another hash
than the one that was noted.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from heatproof.errors import InputError
from heatproof.guarded import read_regular

LEDGER, LOCK = "written.jsonl", "lock"
HEAD = b'{"heatproof": "wrote these files of this folder, and will replace or delete no others"}\n'
GROWS = "grows"  # noted instead of a hash, for a file that lines are added to
EVENT = b'{"time": '  # how every line begins that is added; see log.RunLog
LEFTOVER = re.compile(r".*\.[0-9a-f]{32}\.partial", re.DOTALL)  # what a killed writer leaves; see store.put_whole
LONGEST_LOCK, LARGEST_LEDGER = 4096, 2**30  # bytes; a million images with eight methods take 40 MB

Ledger = dict[str, set[str]]


def note(folder: Path, name: str, data: bytes | None) -> None:
    """Notes that a file is about to be written, or with ``None`` that lines will be added to it.

    Nothing is noted where no ledger was begun: runs of earlier versions have none.
    """
    if is_ledger(folder / LEDGER):
        line = json.dumps({"name": name, "blake2b": GROWS if data is None else digest(data)}) + "\n"
        append(folder / LEDGER, line.encode())


def is_ledger(path: Path) -> bool:
    """Whether a file is a ledger, and not somebody's file of that name."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HEAD)) == HEAD


def digest(data: bytes) -> str:
    """Which bytes these are, for a run that says what was written."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def append(path: Path, line: bytes) -> None:
    """Adds a line by one write, so that lines of several processes never mix.

    A line that a full disk has torn is ended by the next one.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not make us wait
    descriptor = os.open(path, flags, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        whole = b"\n" * torn + line
        if os.write(descriptor, whole) < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def ledger_of(folder: Path) -> Ledger | None:
    """The hashes that were noted for each name; None where there is no ledger. Torn lines are left out."""
    path = folder / LEDGER
    if not is_ledger(path):
        return None
    noted: Ledger = {}
    for line in read_regular(path, f"{LEDGER!r} of {folder}", at_most=LARGEST_LEDGER).splitlines():
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            entry = json.loads(line)
            noted.setdefault(str(entry["name"]), set()).add(str(entry["blake2b"]))
    return noted


def check_replaceable(folder: Path, name: str) -> None:
    """Refuses to replace a file that heatproof did not write as it is there now, where there is a ledger.

    Raises:
        InputError: if somebody else wrote or changed the file.
    """
    path = folder / name
    if os.path.lexists(path) and (noted := ledger_of(folder)) is not None and not _ours(path, name, noted):
        raise InputError(
            f"{str(path)!r} is not as heatproof wrote it, and is not replaced; move it away, and give the same command "
            "again"
        )


def strangers(folder: Path) -> Iterator[str]:
    """Names of everything in a folder that heatproof did not write: files, links, and folders of others."""
    noted = ledger_of(folder) or {}
    folders = _folders(noted)
    for path, name in _entries(folder):
        if path.is_dir() and not path.is_symlink():
            if name not in folders:
                yield f"{name}/"
        elif not _ours(path, name, noted):
            yield name


def delete_written(folder: Path, spare: Collection[str] = ()) -> None:
    """Deletes what heatproof wrote into a folder but for names to ``spare``, the ledger last; everything else stays."""
    noted = ledger_of(folder) or {}
    made = _folders(noted)
    for path, name in sorted(_entries(folder), reverse=True):  # what lies in a folder comes before it
        if name in made and path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # something else lies in it
                path.rmdir()
        elif name not in (LEDGER, *spare) and not path.is_dir() and _ours(path, name, noted):
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


def _ours(path: Path, name: str, noted: Ledger) -> bool:
    """Whether a file is as heatproof wrote it."""
    if path.is_symlink() or not path.is_file():
        return False
    if LEFTOVER.fullmatch(path.name):
        return True
    if name in (LEDGER, LOCK):
        return is_ledger(path) if name == LEDGER else is_lock(_beginning(path))
    hashes = noted.get(name, set())
    return (GROWS in hashes and _is_log(path)) or (bool(hashes) and _digest_of(path) in hashes)


def _is_log(path: Path) -> bool:
    """Whether all lines of a file begin as events do; a full disk may have torn one."""
    with path.open("rb") as file:
        return all(line.startswith(EVENT) or EVENT.startswith(line.rstrip(b"\n")) for line in file)


def is_lock(content: bytes) -> bool:
    """Whether a file with this content is a lock: it is empty, says who holds it, or was emptied by a power failure."""
    try:
        return not content.strip(b"\0") or {"pid", "host", "since"} <= set(json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return False


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_LOCK + 1)


def _digest_of(path: Path) -> str:
    found = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(2**20):
            found.update(piece)
    return found.hexdigest()
