"""Codecs of chunks, each decoded into no more bytes than were agreed; nothing is looked up in a registry."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from heatproof.errors import InputError

Codec = tuple[str, Mapping[str, Any]]  # name, settings
Decoder = Callable[[bytes, int, Mapping[str, Any]], bytes]
ZSTD = 0xFD2FB528
BLOSC_HEADER = 16
SLACK = 4096  # bytes by which data that cannot be compressed may grow, beside an eighth


def known(name: str, settings: Mapping[str, Any], what: str) -> Codec:
    """A codec of the list below, or InputError."""
    if name.removeprefix("numcodecs.") not in DECODERS:
        raise InputError(f"{what} has the codec {name!r:.100}; expected one of {', '.join(DECODERS)}")
    return name.removeprefix("numcodecs."), settings


def decoded(data: bytes, codecs: Sequence[Codec], at_most: int) -> bytes:
    """What lies behind all of the codecs, which were applied in this order, if it is not more than so many bytes."""
    for place in reversed(range(len(codecs))):
        name, settings = codecs[place]
        bound = most_encoded(codecs[:place], at_most)
        data = DECODERS[name](data, bound, settings)
        _check(name, len(data), bound)
    return data


def most_encoded(codecs: Sequence[Codec], size: int) -> int:
    """How many bytes so many may become by all of the codecs."""
    for _ in codecs:
        size += size // 8 + SLACK
    return size


def _check(name: str, size: int, at_most: int) -> None:
    if size > at_most:
        raise InputError(f"a chunk unpacks ({name}) to {size:,} bytes; its metadata allow {at_most:,}")


def _zstd(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    from numcodecs import zstd

    size = _zstd_size(data)
    _check("zstd", size or 0, at_most)
    unpacked = np.empty(at_most if size is None else size, np.uint8)
    if unpacked.size:
        zstd.decompress(data, unpacked)  # an error if it is more
    return unpacked.tobytes()


def _zstd_size(data: bytes) -> int | None:
    """What the header of the first frame says [RFC 8878, 3.1.1.1]; None if it does not."""
    if len(data) < 6 or int.from_bytes(data[:4], "little") != ZSTD:
        raise InputError("a chunk is no zstd frame")
    flags = data[4]
    single, width = flags >> 5 & 1, (0, 2, 4, 8)[flags >> 6]
    if not width and not single:
        return None
    begin = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = width or 1
    if len(data) < begin + width:
        raise InputError("a chunk is an incomplete zstd frame")
    return int.from_bytes(data[begin : begin + width], "little") + 256 * (width == 2)


def _blosc(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    from numcodecs import blosc

    if len(data) < BLOSC_HEADER:
        raise InputError("a chunk is an incomplete Blosc frame")
    size, block, packed = (int.from_bytes(data[place : place + 4], "little") for place in (4, 8, 12))
    _check("blosc", size, at_most)
    if packed != len(data) or not 0 <= block <= max(size, 1):
        raise InputError(f"a chunk is an incomplete Blosc frame: {len(data):,} bytes, its header says {packed:,}")
    unpacked = np.empty(size, np.uint8)
    if size:
        blosc.decompress(data, unpacked)
    return unpacked.tobytes()


def _lz4(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    from numcodecs import lz4

    _check("lz4", int.from_bytes(data[:4], "little"), at_most)
    return bytes(lz4.decompress(data))


def _deflated(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    found = b""
    while data:  # gzip's files may follow one another
        stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # of gzip or of zlib, whichever it is
        found += stream.decompress(data, at_most + 1 - len(found))
        _check("deflate", len(found), at_most)
        if not stream.eof:
            raise InputError("a chunk is an incomplete gzip or zlib stream")
        data = stream.unused_data
    return found


def _crc32c(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    import google_crc32c

    if len(data) < 4 or google_crc32c.value(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise InputError("a chunk does not fit its checksum (crc32c)")
    return data[:-4]


def _shuffle(data: bytes, at_most: int, settings: Mapping[str, Any]) -> bytes:
    size = settings.get("elementsize", 4)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= 64 or len(data) % size:
        raise InputError(f"a chunk of {len(data):,} bytes cannot be shuffled by {size!r:.40}")
    return np.frombuffer(data, np.uint8).reshape(size, -1).T.tobytes()


DECODERS: dict[str, Decoder] = {
    "blosc": _blosc,
    "crc32c": _crc32c,
    "gzip": _deflated,
    "lz4": _lz4,
    "shuffle": _shuffle,
    "zlib": _deflated,
    "zstd": _zstd,
}
