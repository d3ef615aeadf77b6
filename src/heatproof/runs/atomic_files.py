"""Files that are complete or absent, even after a kill, and the error message where a disk refuses."""

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heatproof.runs.objects import KEPT, StoreError

LEFTOVER = re.compile(r".*\.[0-9a-f]{32}\.partial", re.DOTALL)  # what a killed writer leaves
ROOM = f"make room and start again; {KEPT}"
RIGHTS = f"choose a folder that you may read and write; {KEPT}"
REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: f"choose a folder that you may write to; {KEPT}",
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
}
CANNOT_SYNC_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # some network file systems; folders without read


@contextmanager
def disk_errors(done: str, path: Path) -> Iterator[None]:
    """What the disk refuses becomes a StoreError that says what could not be ``done``, and what to do."""
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, KEPT)
        raise StoreError(f"{str(path)!r} could not be {done}: {error.strerror or error}; {remedy}") from error


def put_file(path: Path, data: bytes) -> None:
    """Writes a file, or replaces it: temporary file, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{secrets.token_hex(16)}.partial")
    with disk_errors("written", path):
        _make_folder(path.parent)
        try:
            _write(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def put_new_file(path: Path, data: bytes) -> bool:
    """Writes a file where nothing is; false if something is there by then."""
    temporary = path.with_name(f".{secrets.token_hex(16)}.partial")
    with disk_errors("written", path):
        try:
            _write(temporary, data)
            try:
                os.link(temporary, path)  # a rename would replace what is there
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):  # file systems without links
                    raise
                path.open("xb").close()
                temporary.replace(path)
            sync_folder(path.parent)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
    return True


def append_line(path: Path, line: bytes) -> None:
    """Adds a line by one write, so that lines of several processes never mix; ends one that a full disk has torn."""
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


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to the disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC_FOLDERS:
            raise


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
