"""MATLAB's files (version 5) without compression, and no deeper than tables are: SciPy bounds neither."""

import struct
import zlib
from math import prod
from pathlib import Path

from heatproof.errors import InputError
from heatproof.guarded import read_regular

LARGEST = 2**26  # bytes, as unpacked; the ILSVRC2012 development kit's has 1 MB
DEEPEST = 8  # arrays within arrays
_HEADER, _TAG = 128, 8
_INT32, _MATRIX, _COMPRESSED = 5, 14, 15


def unpacked(path: Path) -> bytes:
    """The content of a MATLAB file, without compression.

    Raises:
        InputError: for a file that is too large, or would be, and for arrays that lie too deep in one another.
    """
    content = read_regular(path, repr(path.name), at_most=LARGEST)
    order = "<" if content[126:128] == b"IM" else ">"
    made = bytearray(content[:_HEADER])
    position = _HEADER
    while position + _TAG <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        element = content[position : position + _TAG + size]
        position += _TAG + size
        if kind == _COMPRESSED:
            element = zlib.decompressobj().decompress(element[_TAG:], LARGEST - len(made) + 1)
        made += element
        if len(made) > LARGEST:
            raise InputError(f"expected at most {LARGEST:,} bytes in {path.name!r} when it is unpacked")
        _check_arrays(element, order, path.name)
    return bytes(made)


def _check_arrays(content: bytes, order: str, name: str) -> None:
    """Arrays are found by their tags, wherever these are; a number that looks like one does no harm."""
    waiting = [(0, len(content), 0)]
    while waiting:
        position, end, depth = waiting.pop()
        if depth > DEEPEST:
            raise InputError(f"expected arrays of {name!r} to lie at most {DEEPEST} deep in one another")
        while position + _TAG <= end:
            kind, size = struct.unpack_from(f"{order}II", content, position)
            if kind >> 16:  # the value lies in the tag
                position += _TAG
                continue
            if kind == _MATRIX:
                _check_count(content, order, position + _TAG, name)
                waiting.append((position + _TAG, min(end, position + _TAG + size), depth + 1))
            position += _TAG + -(-size // 8) * 8


def _check_count(content: bytes, order: str, position: int, name: str) -> None:
    """An array has at most as many values as the file has bytes; its sizes follow its flags of 16 bytes."""
    if position + 2 * _TAG + _TAG > len(content):
        return
    kind, size = struct.unpack_from(f"{order}II", content, position + 2 * _TAG)
    sizes = content[position + 3 * _TAG : position + 3 * _TAG + size // 4 * 4]
    count = prod(struct.unpack(f"{order}{len(sizes) // 4}i", sizes[: len(sizes) // 4 * 4])) if kind == _INT32 else 0
    if not 0 <= count <= len(content):
        raise InputError(f"expected arrays of {name!r} to hold at most {len(content):,} values, got {count:,}")
