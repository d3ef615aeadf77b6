"""Files that strangers may have made: regular ones alone are opened, once, and no more is read than was agreed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from heatproof.errors import InputError

NO_FILE = "{} is no regular file; folders, pipes, devices and links in a circle are not read"
LARGE, SPARSE = 2**28, 64  # bytes; one byte of so many is stored at least
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
    heatproof.errors.InputError: 'log' has 4 bytes; expected at most 3: it is damaged, or another file

    Args:
        path: of the file.
        what: the file is called in messages.
        at_most: so many bytes; a file with more is refused before any is read.
        inside: the folder that no link may lead out of; anywhere where there is none.

    Raises:
        InputError: if it is larger, or is no regular file (a pipe or a device might never end), or if a link leads out
            of the folder.
        FileNotFoundError: if it is not there.
    """
    with opened(path, what, inside=inside) as file:
        size = os.fstat(file.fileno()).st_size
        check_size(what, size, at_most)
        return file.read(size)


@contextmanager
def opened(path: Path, what: str, *, inside: Path | None = None) -> Iterator[BinaryIO]:
    """A regular file, open for reading; links are followed first, and none is while it is opened.

    Raises:
        InputError: if a link leads out of the folder ``inside``, or if it is no regular file.
        FileNotFoundError: if it is not there.
    """
    with os.fdopen(_descriptor(path, what, inside), "rb") as file:
        _check_regular(os.fstat(file.fileno()), what)  # it may have been another file a moment ago
        yield file


def check_size(what: str, size: int, at_most: int) -> None:
    """Refuses what has more bytes than were expected."""
    if size > at_most:
        raise InputError(f"{what} has {size:,} bytes; expected at most {at_most:,}: it is damaged, or another file")


def check_stored(file: BinaryIO, what: str) -> int:
    """The size of an open file; InputError if nearly nothing of it is stored, as of a file made to take for ever."""
    about = os.fstat(file.fileno())
    if about.st_size > LARGE and about.st_blocks * 512 * SPARSE < about.st_size:
        stored = about.st_blocks * 512
        raise InputError(f"{what} has {about.st_size:,} bytes, but no more than {stored:,} are stored: it is sparse")
    return about.st_size


def resolved_inside(path: Path, inside: Path) -> Path:
    """A path without links.

    Raises:
        InputError: if it leads out of the folder ``inside``.
    """
    resolved = Path(os.path.realpath(path))
    if not resolved.is_relative_to(os.path.realpath(inside)):
        raise InputError(f"{str(path)!r} is a link that leads out of the folder; remove the link")
    return resolved


def _descriptor(path: Path, what: str, inside: Path | None) -> int:
    resolved = Path(os.path.realpath(path)) if inside is None else resolved_inside(path, inside)
    try:
        _check_regular(os.lstat(resolved), what)  # to open a device can be to use it
        if inside is None:
            return os.open(resolved, _READING)
        return _open_without_links(Path(os.path.realpath(inside)), resolved)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that was put there meanwhile
            raise InputError(NO_FILE.format(what)) from None
        if error.errno == errno.ENOTDIR:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
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


def _check_regular(about: os.stat_result, what: str) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise InputError(NO_FILE.format(what))
