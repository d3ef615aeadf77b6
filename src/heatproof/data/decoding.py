"""One file into one RGB picture, whatever the file turns out to be.

Files come from anywhere, so nothing in them is trusted: only plain picture formats are tried (Pillow would
hand an EPS file to Ghostscript), and a size is refused before its pixels are decoded.
"""

import io
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from heatproof.data.headers import check_exif, check_header
from heatproof.data.sources import examine
from heatproof.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MIN_SIDE = 8
MAX_PIXELS = 178_956_970

_RAISED = "; make the picture smaller, or raise the limit: --max-pixels (Preprocessing(max_pixels=…))"
_PILLOW = threading.Lock()  # its settings are those of the whole process
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF tags, and the value for inverted grey


def read_picture(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in a file as upright RGB.

    EXIF rotation is applied, transparent pixels are laid over white, an animation gives its first frame, and
    grey with 16 bits is rescaled to 8. Colour profiles are ignored, as they are where networks are trained.

    Args:
        path: of the file.
        max_pixels: a picture with more is refused before its pixels are decoded.

    Raises:
        InputError: naming the file, for anything that is not a whole picture of a sensible size.

    >>> from heatproof.data import built_in_photographs
    >>> picture = read_picture(built_in_photographs()[0])
    >>> picture.mode, picture.size
    ('RGB', (512, 512))
    """
    try:
        return decode(Path(path), max_pixels)
    except InputError as error:
        raise InputError(f"cannot use {str(path)!r}: {error}") from error


def decode(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decodes a picture as :func:`read_picture` does; its errors do not name the file."""
    found = examine(path)
    if stat.S_ISDIR(found.st_mode):
        raise InputError("expected a picture file, got a folder; give one of the files in it")
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
        raise InputError("expected a picture file, got a device, pipe or socket")
    if found.st_size == 0:
        raise InputError("expected a picture file, got an empty file")
    with _explained(max_pixels), path.open("rb") as file:
        return _decode(file, max_pixels)


def decode_bytes(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decodes the content of a file as :func:`decode` does."""
    if not content:
        raise InputError("expected a picture, got no bytes")
    with _explained(max_pixels):
        return _decode(io.BytesIO(content), max_pixels)


@contextmanager
def _explained(max_pixels: int) -> Iterator[None]:
    try:
        yield
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"expected a picture ({', '.join(FORMATS)}), got a file that is none of these") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"expected at most {max_pixels:,} pixels, got more{_RAISED}") from error
    except Exception as error:  # Pillow raises nearly every kind of exception on malformed files
        raise InputError(f"expected a complete picture, got a damaged one ({type(error).__name__}: {error})") from error


def _decode(file: BinaryIO, max_pixels: int) -> Image.Image:
    check_header(file)
    with _quiet, _open(file, max_pixels) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise InputError(f"expected at most {max_pixels:,} pixels, got {width} x {height}{_RAISED}")
        if min(width, height) < MIN_SIDE:
            raise InputError(f"expected sides of at least {MIN_SIDE} pixels, got {width} x {height} (width x height)")
        check_exif(picture)
        tags: dict[int, Any] = dict(getattr(picture, "tag_v2", {}))
        ImageOps.exif_transpose(picture, in_place=True)
        return _to_rgb(picture, tags)


def _open(file: BinaryIO, max_pixels: int) -> Image.Image:
    """The picture as far as its header; Pillow's own limit is out of the way where ours was raised above it."""
    if max_pixels <= MAX_PIXELS:
        return Image.open(file, formats=FORMATS)
    with _PILLOW:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = before


class _Quiet:
    """Hides Pillow's notices on big sizes (checked here) and sloppy metadata while any thread decodes.

    ``warnings.catch_warnings`` is no use: it puts back what it found, so that threads undo one another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters: list[Any] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filters = [warnings.filters, warnings.filters[0]]

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                found, added = self._filters
                with suppress(ValueError):
                    found.remove(added)


_quiet = _Quiet()


def _to_rgb(picture: Image.Image, tags: dict[int, Any]) -> Image.Image:
    if picture.mode in ("I", "F"):
        raise InputError(
            f"expected 8 or 16 bits per value, got a picture of mode {picture.mode!r} (32 bits), whose scale is "
            "unknown; convert it to 8 bits, choosing what is black and what is white"
        )
    if picture.mode.startswith("I;16"):
        return _from_deep_grey(picture, tags)
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    return picture.convert("RGB")


def _from_deep_grey(picture: Image.Image, tags: dict[int, Any]) -> Image.Image:
    """Grey of 9 to 16 bits as RGB, rescaled: Pillow's own conversion clips every value above 255 to white."""
    values = np.array(picture).astype(np.uint32)  # (H, W)
    full = 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts these for 8 bits only
        values = full - values
    if "transparency" in picture.info:  # one see-through value, shown as the white behind it
        values[values == picture.info["transparency"]] = full
    rounded = (values * 255 + full // 2) // full
    return Image.fromarray(rounded.astype(np.uint8)).convert("RGB")
