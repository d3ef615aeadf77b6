"""Pictures: real files of every format, damaged; and any bytes."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.fuzz.inputs import damaged, fuzzed

from heatproof.data import Preprocessing, read_picture
from heatproof.data.decoding import decode_bytes

MAX_PIXELS = 2**20
FIT = Preprocessing(resize=16, crop=12, max_pixels=MAX_PIXELS)


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def seeds():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 4), dtype=np.uint8)
    colour, clear, grey = (Image.fromarray(pixels[..., :3]), Image.fromarray(pixels), Image.fromarray(pixels[..., 0]))
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(180)]}
    return {
        "jpeg": saved(colour, "JPEG", exif=exif),
        "jpeg progressive": saved(colour, "JPEG", progressive=True),
        "jpeg cmyk": saved(colour.convert("CMYK"), "JPEG"),
        "png": saved(colour, "PNG", exif=exif),
        "png 16 bits": saved(deep, "PNG"),
        "png palette": saved(colour.quantize(16), "PNG", transparency=3),
        "png animated": saved(colour, "PNG", **frames),
        "webp": saved(colour, "WEBP"),
        "webp animated": saved(clear, "WEBP", lossless=True, **frames),
        "gif": saved(colour, "GIF"),
        "gif animated": saved(colour, "GIF", **frames),
        "bmp": saved(colour, "BMP"),
        "bmp palette": saved(grey, "BMP"),
        "tiff": saved(clear, "TIFF"),
        "tiff lzw": saved(colour, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": saved(colour, "TIFF", compression="jpeg"),
        "tiff 16 bits": saved(deep, "TIFF"),
    }


SEEDS = seeds()


def with_checksums(png):
    """The chunks of a PNG with checksums that fit, so that damage gets further than to those."""
    out, position = bytearray(png[:8]), 8
    while position + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, position)
        body = png[position + 4 : position + 8 + size]
        out += png[position : position + 4] + body + struct.pack(">I", zlib.crc32(body))
        position += 12 + size
    return bytes(out)


def look(judge, content, kind):
    with judge.judging(kind):
        picture = decode_bytes(content, MAX_PIXELS)
        assert picture.mode == "RGB"
        assert picture.width * picture.height <= MAX_PIXELS
        assert FIT.fit(picture).size == (12, 12)


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_are_pictures(name):
    assert decode_bytes(SEEDS[name]).size in ((20, 24), (24, 20))


@fuzzed(700)
@given(data=st.data())
def test_damaged_pictures(judge, data):
    name = data.draw(st.sampled_from(sorted(SEEDS)))
    content = data.draw(damaged(SEEDS[name]))
    if name.startswith("png") and data.draw(st.booleans()):
        content = with_checksums(content)
    look(judge, content, "pictures, damaged")


@fuzzed(200)
@given(
    start=st.sampled_from([b"", *(seed[:12] for seed in SEEDS.values())]),
    rest=st.binary(max_size=200),
    file=st.booleans(),
)
def test_any_bytes(judge, start, rest, file):
    if not file:
        look(judge, start + rest, "pictures, any bytes")
        return
    with judge.judging("pictures, any bytes"):
        read_picture(judge.file(start + rest, ".jpg"))
