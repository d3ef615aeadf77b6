"""Where the plain files of a tar archive lie. Only their headers are read; nothing is unpacked.

Python's tarfile reads the long names and attributes of a header whatever size they claim, calls itself for each of
them, and keeps every entry. Here, names have a limit, and one entry is held at a time.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from heatproof.errors import InputError

BLOCK = 512
LARGEST_NAME = 2**16  # bytes of a header that names or describes the next entry

_PLAIN, _CONTIGUOUS, _SPARSE = (b"0", b"\0"), b"7", b"S"
_LONG_NAME, _LONG_LINK, _ATTRIBUTES, _FOR_ALL = b"L", b"K", (b"x", b"X"), b"g"
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes: their size means nothing
_ATTRIBUTE = re.compile(rb"(\d{1,9}) ([^=]+)=")


class TarEntry(NamedTuple):
    """A plain file: its name, and where its content lies."""

    name: str
    offset: int
    size: int


def plain_files(file: BinaryIO) -> Iterator[TarEntry]:
    """The plain files of an archive in its order; links, devices, folders and sparse files are left out.

    Raises:
        InputError: where the archive is broken or ends within an entry.
    """
    end = file.seek(0, io.SEEK_END)
    position = 0
    said: dict[bytes, bytes] = {}
    while header := _header(file, position):
        kind, size = header[156:157], _size(header[124:136])
        position += BLOCK
        if kind in _WITHOUT_CONTENT:
            size = 0
        elif kind not in (_LONG_NAME, _LONG_LINK, *_ATTRIBUTES, _FOR_ALL) and b"size" in said:
            size = _whole(said[b"size"])
        if kind == _SPARSE:
            position = _behind_map(file, header, position)
        if size > end - position:
            raise InputError(f"an entry should have {size:,} bytes, and {end - position:,} are left")
        if kind in (_LONG_NAME, *_ATTRIBUTES):
            file.seek(position)
            said |= _said(kind, file, size)
        elif kind not in (_LONG_LINK, _FOR_ALL):
            if kind in (*_PLAIN, _CONTIGUOUS) and not any(key.startswith(b"GNU.sparse") for key in said):
                name = said.get(b"path") or _name(header)
                if kind == _CONTIGUOUS or not name.endswith(b"/"):  # the oldest archives name folders so
                    yield TarEntry(name.decode("utf-8", "surrogateescape"), position, size)
            said = {}
        position += -(-size // BLOCK) * BLOCK


def _header(file: BinaryIO, position: int) -> bytes:
    """The header at a position; nothing at the end, which is a block of zeros or that of the file."""
    file.seek(position)
    header = file.read(BLOCK)
    if not header.strip(b"\0"):
        if not position and len(header) < BLOCK:
            raise InputError("it is empty")
        return b""
    if len(header) < BLOCK:
        raise InputError("it ends within a header")
    total = sum(header[:148]) + 8 * 32 + sum(header[156:])
    if _octal(header[148:156]) != total:
        raise InputError("a header does not fit its checksum")
    return header


def _size(field: bytes) -> int:
    if field[0] == 0xFF:
        raise InputError("an entry has a negative size")
    return int.from_bytes(field[1:], "big") if field[0] == 0x80 else _octal(field)  # more than digits can say


def _octal(field: bytes) -> int:
    digits = field.split(b"\0")[0].strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise InputError(f"expected octal digits in a header, got {field!r}")
    return int(digits or b"0", 8)


def _whole(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,18}", text):
        raise InputError(f"expected a size in decimal digits, got {text[:40]!r}")
    return int(text)


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    is_posix = header[257:263] == b"ustar\0"  # GNU's own form keeps other things there
    return prefix + b"/" + name if prefix and is_posix else name


def _said(kind: bytes, file: BinaryIO, size: int) -> dict[bytes, bytes]:
    """What a header says of the next entry: ``path``, ``size``, and whether it is sparse."""
    if size > LARGEST_NAME:
        raise InputError(f"expected names and attributes of at most {LARGEST_NAME:,} bytes, got {size:,}")
    content = file.read(size)
    if kind == _LONG_NAME:
        return {b"path": content.split(b"\0")[0]}
    found: dict[bytes, bytes] = {}
    position = 0
    while attribute := _ATTRIBUTE.match(content, position):
        following = position + int(attribute[1])
        if not attribute.end() < following <= len(content):
            raise InputError("an attribute of an entry does not end where it says")
        found[attribute[2]] = content[attribute.end() : following - 1]
        position = following
    if content[position:].strip(b"\0"):
        raise InputError("the attributes of an entry cannot be read")
    return found


def _behind_map(file: BinaryIO, header: bytes, position: int) -> int:
    """Position behind the map of a sparse file of GNU's old form."""
    more = header[482]
    while more:
        file.seek(position)
        block = file.read(BLOCK)
        if len(block) < BLOCK:
            raise InputError("it ends within a header")
        more, position = block[504], position + BLOCK
    return position
