"""The lock of a run: one process writes it, and a second one is refused."""

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from heatproof.errors import InputError
from heatproof.runs.atomic_files import disk_errors
from heatproof.runs.ledger import LOCK, LONGEST_LOCK, is_lock
from heatproof.runs.store import LocalStore

if TYPE_CHECKING:
    from heatproof.runs.records import LockRecord

TRIES, PAUSE = 5, 0.05  # seconds; whoever asks for the holder holds the lock for a moment
UNLOCKED = (
    "A URL has no lock: nothing keeps a second process from writing this run at the same time. Objects stay whole, but "
    "work may be done twice."
)

_held: set[int] = set()


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Holds ``lock`` in the run's folder (made if it is not there), by ``flock``.

    The system gives the lock back when the process ends, however it ends; the file stays, since two processes could
    lock two files of that name if it were taken away. Forked children do not hold it. URLs have no lock: two processes
    there leave every object whole, but may do work twice, and the run's notes say so (``UNLOCKED``). A network file
    system's locks hold between machines as far as that file system says.

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp())):
    ...     pass

    Raises:
        InputError: if another process holds it; the message names process, host and since when.
        StoreError: if the disk refuses, or the file system has no locks.
    """
    descriptor = _take(run)
    _held.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _held:  # and not in a forked child
            _held.discard(descriptor)
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


def holder(run: Path) -> "LockRecord | None":
    """The process that writes the run now, if there is one; the lock is not taken.

    >>> import tempfile
    >>> holder(Path(tempfile.mkdtemp())) is None
    True
    """
    path = LocalStore(run).local_path(LOCK)
    if not path.is_file():
        return None
    with disk_errors("read", path):
        descriptor = _opened(path, os.O_RDONLY)
        try:
            return None if _flocked(descriptor, fcntl.LOCK_SH, tries=1) else _holder(descriptor)
        finally:
            os.close(descriptor)


def _take(run: Path) -> int:
    path = LocalStore(run).local_path(LOCK)
    in_the_way = InputError(f"{str(path)!r} is in the way, and was not written by heatproof; move it away")
    if path.is_symlink():
        raise in_the_way
    with disk_errors("locked", path):
        run.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            if not (_flocked(descriptor, fcntl.LOCK_EX, tries=TRIES) and _lies_at(path, descriptor)):
                raise InputError(
                    f"{str(run)!r} is being written by {_holder(descriptor)}; wait for it, end it, "
                    "or choose another folder"
                )
            if not is_lock(os.pread(descriptor, LONGEST_LOCK + 1, 0)):
                raise in_the_way
            now = datetime.now(UTC).isoformat(timespec="seconds")
            content = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}) + "\n"
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content.encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def _lies_at(path: Path, descriptor: int) -> bool:
    """Whether the file is the one of that name still: its folder may have been replaced while we waited."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _opened(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file")
    return descriptor


def _flocked(descriptor: int, kind: int, *, tries: int) -> bool:
    for pause in [PAUSE] * (tries - 1) + [0]:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def _holder(descriptor: int) -> "LockRecord":
    from heatproof.runs.records import LockRecord  # pydantic, which whoever takes a lock does not need

    try:
        return LockRecord.read(os.pread(descriptor, LONGEST_LOCK, 0), LOCK)
    except InputError:  # about to be written, or garbage
        return LockRecord.of({}, LOCK)


def _close_in_child() -> None:
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_in_child)  # an orphaned worker must not hold what its parent held
