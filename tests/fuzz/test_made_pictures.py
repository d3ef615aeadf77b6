"""Pictures that are made to take memory or time: refused, or read for what a small picture takes."""

# ruff: noqa: E501 - tables of bytes are read line by line

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.fuzz.test_pictures import saved

from heatproof.data import read_picture
from heatproof.data.decoding import decode_bytes
from heatproof.errors import InputError

COLOUR = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8))
JPEG, PNG, GIF, WEBP = (saved(COLOUR, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP"))
BEHIND_TABLE = 13 + (3 << (GIF[10] & 7) + 1)
NONE = "expected a picture"


def directory(tags, data=b""):
    """A TIFF file: (tag, kind, count, value or None for the offset of the data)."""
    behind = 8 + 2 + 12 * len(tags) + 4
    entries = (struct.pack("<HHII", t, kind, count, behind if v is None else v) for t, kind, count, v in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + data


def tiff(tags, data, width=100, height=100, compression=8):
    usual = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)]
    return directory([*usual, (277, 3, 1, 1), *tags], data)


def overlapping(count, size, total):
    """Tags that all mean the same bytes."""
    found = directory([(number + 1, 7, size, 0) for number in range(count)])
    return found + bytes(total - len(found))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*chunks):
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments):
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def exif(content):
    return jpeg(*(segment(0xE1, b"Exif\0\0" + content[at : at + 60000]) for at in range(0, len(content), 60000)))


def gif(*blocks):
    return GIF[:BEHIND_TABLE] + b"".join(blocks) + GIF[BEHIND_TABLE:]


def progressive(side, scans):
    """A grey JPEG of one value, in which the same coefficients come again and again."""
    table = bytes([1] + [0] * 15)
    blocks = (side // 8) ** 2
    runs = "".join(["0" + "1" * 14] * (blocks // 32767 + 1))
    runs += "1" * (-len(runs) % 8)
    zeros = int(runs, 2).to_bytes(len(runs) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join([
        b"\xff\xd8", segment(0xDB, b"\0" + bytes([1] * 64)), segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0"),
        segment(0xC4, b"\0" + table + b"\0"), segment(0xC4, b"\x10" + table + b"\xe0"),
        segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1),
        *[segment(0xDA, b"\1\1\0\1\x3f\0") + zeros] * scans, b"\xff\xd9",
    ])  # fmt: skip


def bmp(width, height, data):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 1, 1, 256, 256)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + head + bytes(1024) + data


DEFLATED = zlib.compress(bytes(2**27))
TILES = [(322, 4, 1, 16384), (323, 4, 1, 8192), (324, 4, 1, None), (325, 4, 1, len(DEFLATED))]

REFUSED = {
    "JPEG: 20,000 tags of the same bytes": (exif(overlapping(20000, 300000, 320000)), "expected at most 10,000 tags"),
    "JPEG: 9,000 tags of the same bytes": (exif(overlapping(9000, 100000, 320000)), "expected tags with at most"),
    "JPEG: joined Exif": (jpeg(segment(0xE1, b"Exif\0\0" + bytes(65000)) * 70), "bytes of Exif data"),
    "JPEG: a million segments": (jpeg(b"\xff\xe5\0\2" * 10**6), "expected metadata of at most 10,000 pieces"),
    "JPEG: bytes of nothing": (jpeg(b"\xff" * 5 * 10**6), "bytes of nothing"),
    "JPEG: 300 scans": (progressive(1024, 300), "expected at most 100 scans"),
    "PNG: tags of the same bytes": (png(chunk(b"eXIf", overlapping(9000, 200000, 320000))), "expected tags with at most"),
    "PNG: a million chunks": (png(chunk(b"prVt", b"") * 10**6), "expected metadata of at most 10,000 pieces"),
    "PNG: a million chunks behind": (
        PNG[:-12] + chunk(b"IDAT", b"") * 10**6 + PNG[-12:], "expected metadata of at most 10,000 pieces"
    ),
    "PNG: swelling text": (png(chunk(b"zTXt", b"a\0\0" + DEFLATED)), "(?i)data too large"),
    "PNG: swelling profile": (png(chunk(b"iCCP", b"a\0\0" + DEFLATED)), "(?i)data too large"),
    "GIF: a long comment": (gif(b"!\xfe" + (b"\xff" + bytes(255)) * 5000 + b"\0"), "before the first frame"),
    "GIF: many comments": (gif(b"!\xfe\1a\0" * 300000), "before the first frame"),
    "GIF: junk": (gif(b"\0" * 2**21), "before the first frame"),
    "BMP: rows skipped": (bmp(22369000, 8, b"\0\2\0\xff" * 3), "at most 65,536 columns"),
    "BMP: long runs": (bmp(100, 100, bytes(2**23)), "expected a BMP file with run lengths"),
    "TIFF: tags of the same bytes": (
        tiff([(1000 + number, 7, 300000, 0) for number in range(9000)], bytes(300000)), "expected tags with at most"
    ),
    "TIFF: large tiles of a small picture": (tiff(TILES, DEFLATED), "expected tiles smaller than the picture"),
    "TIFF: tags beyond": (b"II*\0\x08\0\0\0\xff\xff" + bytes(100), "expected at most 10,000 tags"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n", NONE),
    "Photoshop": (b"8BPS\0\1" + bytes(100), NONE),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), NONE),
    "FITS": (b"SIMPLE  =                    T" + bytes(3000), NONE),
    "portable": (b"P6\n20 20\n255\n" + bytes(1200), NONE),
}  # fmt: skip
READ = {
    "JPEG: other pictures behind": JPEG * 60,
    "GIF: 100,000 frames": GIF[:-1] + (b",\0\0\0\0\x18\0\x14\0\0\x08\2\0\0\0") * 10**5 + b";",
    "PNG: says 2^31 frames": png(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    "TIFF: its directory again": tiff(
        [(273, 4, 1, 0), (274, 3, 1, 255), (278, 4, 1, 20), (279, 4, 1, 400), (34665, 4, 1, 8)], bytes(400), 20, 20, 1
    ),
    "TIFF: one strip that swells": tiff([(273, 4, 1, None), (278, 4, 1, 100), (279, 4, 1, len(DEFLATED))], DEFLATED),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_swell_or_hang_is_refused(judge, name):
    content, message = REFUSED[name]
    with judge.strictly("pictures, made up"), pytest.raises(InputError, match=message):
        decode_bytes(content)


@pytest.mark.parametrize("name", READ)
def test_what_is_only_odd_is_read(judge, name):
    with judge.strictly("pictures, made up"):
        assert decode_bytes(READ[name]).mode == "RGB"


@pytest.mark.parametrize("start", [b"", JPEG, GIF[:BEHIND_TABLE], bmp(1000, 1000, b""), b"RIFF\xf0\xff\xff\xffWEBPVP8 ",
                                   PNG[:33] + b"\x7f\xff\xff\xfftEXt", PNG[:33] + b"\x7f\xff\xff\xffzTXt"])  # fmt: skip
@pytest.mark.parametrize("size", [40 * 2**30, 2**31])
def test_sparse_files_are_not_read(judge, start, size):
    path = judge.file(start, ".png")
    os.truncate(path, size)
    with judge.strictly("pictures in sparse files"):
        read_picture(path)
    path.unlink()


def test_a_pipe_is_not_opened(judge):
    path = judge.folder / "pipe.png"
    os.mkfifo(path)
    with judge.strictly("pictures, made up"):
        read_picture(path)
    path.unlink()


def test_the_exif_of_a_phone_is_read(judge):
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010E] = "words " * 9000
    file = io.BytesIO()
    COLOUR.save(file, "JPEG", exif=tags)
    with judge.strictly("pictures, made up"):
        assert decode_bytes(file.getvalue()).size == (20, 24)
