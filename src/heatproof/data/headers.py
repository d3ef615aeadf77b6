"""Refuses pictures whose headers would take memory or time beyond any use, before Pillow reads them.

Pillow bounds the pixels of a picture, and most of its texts. What it does not bound in every version that we allow:
tags that all mean the same bytes, tiles larger than their picture, metadata joined piece by piece, thousands of scans.
"""

import io
import re
from collections.abc import Callable
from typing import BinaryIO, Literal

from PIL import Image

from heatproof.errors import InputError

LARGEST_FILE = 2**31  # bytes; 178,956,970 pixels of four times 16 bits, not compressed, have 1.4 GB
LARGEST_IN_MEMORY = 2**27  # bytes of a format that is read at once (WebP), or decoded by Python (BMP with run lengths)
MOST_METADATA = 2**26  # bytes
MOST_EXIF = 2**22  # bytes of a JPEG, where Pillow joins them piece by piece
MOST_BEFORE_A_FRAME = 2**20  # bytes of a GIF, as well
MOST_PIECES = 10_000  # chunks, segments or blocks beside the pixels
SMALLEST_PIXELS = 16  # bytes of a chunk of a PNG; the last one may be small, a million of them are made to last
MOST_SCANS = 100  # of a progressive JPEG; ten are usual
WIDEST_RUN = 2**16  # pixels of a row of a BMP with run lengths: three bytes skip 255 rows

_RUN_LENGTHS = (1, 2)  # values of a BMP's compression
_TILE_WIDTH, _TILE_HEIGHT, _WIDTH, _HEIGHT = 322, 323, 256, 257  # TIFF tags
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1  # JPEG markers
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PIECE = 2**20
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_header(file: BinaryIO) -> None:
    """Refuses what Pillow would swell or hang on; other files, whole or broken, are left to Pillow."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    _check_most(size, LARGEST_FILE, "bytes")
    start = file.read(16)
    for begins, check in _CHECKS.items():
        if start.startswith(begins):
            check(file, size)
    file.seek(0)


def check_exif(picture: Image.Image) -> None:
    """Refuses Exif data whose tags claim more bytes than it has."""
    found = picture.info.get("exif", b"")
    raw = picture.info.get("Raw profile type exif")  # ImageMagick's, in hexadecimal
    if isinstance(raw, str) and not found:
        digits = re.sub(r"[^0-9a-fA-F]", "", "".join(raw.split("\n")[3:]))
        found = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if isinstance(found, bytes):
        _check_exif(found)


def _check_exif(found: bytes) -> None:
    content = found.removeprefix(b"Exif\0\0")
    if content.startswith(_TIFFS):
        _tiff(io.BytesIO(content), len(content))


def _check_most(count: int, most: int, what: str) -> None:
    if count > most:
        raise InputError(f"expected at most {most:,} {what}, got {count:,}")


def _tiff(file: BinaryIO, size: int) -> None:
    """The first directory: bytes that its tags mean, and the size of its tiles."""
    file.seek(0)
    head = file.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    big = 43 in head[2:4]
    width = 8 if big else 4  # of an amount, and of a value or its offset
    file.seek(int.from_bytes(head[8:16] if big else head[4:8], order))
    count = int.from_bytes(file.read(8 if big else 2), order)
    _check_most(count, MOST_PIECES, "tags")
    numbers: dict[int, int] = {}
    total = 0
    for _ in range(count):
        row = file.read(4 + 2 * width)
        if len(row) < 4 + 2 * width:
            break
        tag, kind, amount = (int.from_bytes(part, order) for part in (row[:2], row[2:4], row[4 : 4 + width]))
        total += min(amount * _SIZES.get(kind, 0), size)
        if total > MOST_METADATA:
            raise InputError(f"expected tags with at most {MOST_METADATA:,} bytes, got more than these")
        if amount == 1 and kind in (1, 3, 4, 16):
            numbers.setdefault(tag, int.from_bytes(row[4 + width :][: min(_SIZES[kind], width)], order))
    tile = numbers.get(_TILE_WIDTH, 0) * numbers.get(_TILE_HEIGHT, 0)
    if tile > max(2**22, 4 * numbers.get(_WIDTH, 0) * numbers.get(_HEIGHT, 0)):
        raise InputError(f"expected tiles smaller than the picture, got some of {tile:,} pixels")


def _png(file: BinaryIO, _: int) -> None:
    """All chunks but those of pixels."""
    pieces = total = 0
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name not in (b"IDAT", b"fdAT") or length < SMALLEST_PIXELS:
            pieces, total = pieces + 1, total + length
            _check_pieces(pieces, total)
        file.seek(length + 4, io.SEEK_CUR)


def _jpeg(file: BinaryIO, _: int) -> None:
    """Segments up to the end of the picture; what follows it (other pictures, films) is not read."""
    pieces = total = scans = 0
    exif = b""
    file.seek(2)
    while (marker := _next_marker(file, in_header=not scans)) not in (None, _EOI):
        length = int.from_bytes(file.read(2), "big") - 2
        content = file.read(max(0, length)) if marker == _APP1 else b""
        if content.startswith(b"Exif\0\0"):
            exif += content[6:]
        elif marker != _APP1:
            file.seek(max(0, length), io.SEEK_CUR)
        scans += marker == _SOS
        pieces, total = pieces + 1, total + length
        _check_pieces(pieces, total)
        _check_most(scans, MOST_SCANS, "scans of a JPEG file")
        _check_most(len(exif), MOST_EXIF, "bytes of Exif data")
    _check_exif(exif)


def _next_marker(file: BinaryIO, *, in_header: bool) -> int | None:
    """The next marker that is none of the entropy-coded data's, and the position behind it."""
    skipped = 0
    while piece := file.read(256 if in_header and not skipped else _PIECE):
        found = _MARKER.search(piece)
        if found:
            file.seek(found.end() - len(piece), io.SEEK_CUR)
            return piece[found.end() - 1]
        skipped += len(piece) - 1
        if in_header:  # Pillow looks at each byte
            _check_most(skipped, _PIECE, "bytes of nothing between segments of a JPEG file")
        if len(piece) == 1:
            return None
        file.seek(-1, io.SEEK_CUR)  # a marker may lie across
    return None


def _gif(file: BinaryIO, _: int) -> None:
    """Blocks up to the first frame."""
    file.seek(10)
    flags = (file.read(3) or b"\0")[0]
    if flags & 0x80:
        file.seek(3 << (flags & 7) + 1, io.SEEK_CUR)
    start = file.tell()
    while (kind := file.read(1)) not in (b"", b",", b";"):
        if kind == b"!":
            file.seek(1, io.SEEK_CUR)
            while (length := file.read(1)) not in (b"", b"\0"):
                file.seek(length[0], io.SEEK_CUR)
                _check_most(file.tell() - start, MOST_BEFORE_A_FRAME, "bytes before the first frame")
        _check_most(file.tell() - start, MOST_BEFORE_A_FRAME, "bytes before the first frame")


def _bmp(file: BinaryIO, size: int) -> None:
    """Run lengths, which Pillow decodes in Python, and which may skip rows."""
    file.seek(14)
    head = file.read(20).ljust(20, b"\0")
    width, compression = int.from_bytes(head[4:8], "little", signed=True), int.from_bytes(head[16:20], "little")
    if compression in _RUN_LENGTHS and (abs(width) > WIDEST_RUN or size > LARGEST_IN_MEMORY // 16):
        raise InputError(
            f"expected a BMP file with run lengths to have at most {WIDEST_RUN:,} columns and "
            f"{LARGEST_IN_MEMORY // 16:,} bytes, got {width:,} and {size:,}"
        )


def _riff(_: BinaryIO, size: int) -> None:
    _check_most(size, LARGEST_IN_MEMORY, "bytes of a WebP file")


def _check_pieces(pieces: int, total: int) -> None:
    if pieces > MOST_PIECES or total > MOST_METADATA:
        raise InputError(
            f"expected metadata of at most {MOST_PIECES:,} pieces and {MOST_METADATA:,} bytes, got {pieces:,} and "
            f"{total:,}"
        )


_CHECKS: dict[bytes | tuple[bytes, ...], Callable[[BinaryIO, int], None]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"RIFF": _riff,
    _TIFFS: _tiff,
}
