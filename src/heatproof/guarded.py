"""Files that strangers may have made: regular ones alone are opened, once, and no more is read than was agreed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from heatproof.errors import InputError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


def read_regular(path: Path, what: str, *, at_most: int, inside: Path | None = None) -> bytes:
    """What a regular file holds.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log"
    >>> path.write_bytes(b"1234")
    4
    >>> read_regular(path, "'log'", at_most=4)
    b'1234'
    >>> read_regular(path, "'log'", at_most=3)
    Traceback (most recent call last):
    heatproof.errors.InputError: 'log' has 4 bytes; expected at most 3: it is not what it should be

    Args:
        path: of the file.
        what: the file is called in messages.
        at_most: so many bytes; a file with more is refused before any is read.
        inside: the folder that no link may lead out of; anywhere where there is none.

    Raises:
        InputError: if it is larger, or if a link leads out of the folder.
        FileNotFoundError: if it is not there, or is no regular file: a pipe or a device might never end.
    """
    with opened(path, inside=inside) as file:
        size = os.fstat(file.fileno()).st_size
        check_size(what, size, at_most)
        return file.read(size)


@contextmanager
def opened(path: Path, *, inside: Path | None = None) -> Iterator[BinaryIO]:
    """A regular file, open for reading; links are followed first, and none is while it is opened.

    Raises:
        InputError: if a link leads out of the folder ``inside``.
        FileNotFoundError: if it is not there, or is no regular file.
    """
    file = os.fdopen(_descriptor(path, inside), "rb")
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # it was another file a moment ago
            raise _no_file(path)
        yield file


def check_size(what: str, size: int, at_most: int) -> None:
    """Refuses what has more bytes than were expected."""
    if size > at_most:
        raise InputError(f"{what} has {size:,} bytes; expected at most {at_most:,}: it is not what it should be")


def resolved_inside(path: Path, inside: Path) -> Path:
    """A path without links.

    Raises:
        InputError: if it leads out of the folder ``inside``.
    """
    resolved = Path(os.path.realpath(path))
    if not resolved.is_relative_to(os.path.realpath(inside)):
        raise InputError(f"{str(path)!r} is a link that leads out of the folder; take the link away")
    return resolved


def _descriptor(path: Path, inside: Path | None) -> int:
    resolved = Path(os.path.realpath(path)) if inside is None else resolved_inside(path, inside)
    try:
        if not stat.S_ISREG(os.lstat(resolved).st_mode):  # to open a device can be to use it
            raise _no_file(path)
        if inside is None:
            return os.open(resolved, _READING)
        return _open_without_links(Path(os.path.realpath(inside)), resolved)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):  # a link in a circle, or one that was put there meanwhile
            raise _no_file(path) from None
        raise


def _open_without_links(folder: Path, path: Path) -> int:
    """Opens folder after folder below this one, so that nobody can put a link in between."""
    *folders, name = path.relative_to(folder).parts
    place = os.open(folder, _FOLDER)
    try:
        for inner in folders:
            above, place = place, os.open(inner, _FOLDER | os.O_NOFOLLOW, dir_fd=place)
            os.close(above)
        return os.open(name, _READING, dir_fd=place)
    finally:
        os.close(place)


def _no_file(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no regular file", str(path))
