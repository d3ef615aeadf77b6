"""Pictures inside the page, as small as they can be and still look the same."""

import base64
import io

import numpy as np
from PIL import Image, features

from heatproof.report.figures import DPI
from heatproof.report.gallery import heatmap_rgb, symmetric_scale

LEVELS = 31  # of colour for each sign of a heatmap: a step is less than one sees
QUALITY = 86  # of photographs
CSS_PIXELS = 96  # per inch
Picture = dict[str, str | int]  # its address, width and height


def photo(image: np.ndarray) -> str:
    """A picture (H, W, 3) of bytes as an address that holds it; lossy where the machine can write WebP.

    >>> photo(np.zeros((4, 4, 3), np.uint8))[:11]
    'data:image/'
    """
    picture = Image.fromarray(image)
    if features.check("webp"):
        return _address("webp", _encoded(picture, "WEBP", quality=QUALITY, method=4))
    return _address("png", _encoded(picture, "PNG", optimize=True))


def coloured(heatmap: np.ndarray) -> str:
    """A signed heatmap (H, W) as an address; −1 … 1 in units of its 99.5 % quantile, 63 colours, grey for NaN."""
    scale = symmetric_scale(heatmap)
    with np.errstate(over="ignore"):
        share = np.nan_to_num(heatmap / scale).clip(-1, 1)
    numbers = np.where(np.isnan(heatmap), 2 * LEVELS + 1, np.rint(share * LEVELS) + LEVELS).astype(np.uint8)
    colours = heatmap_rgb(np.append(np.linspace(-1, 1, 2 * LEVELS + 1), np.nan)[None], 1.0)[0]
    picture = Image.fromarray(numbers)
    picture.putpalette(colours.tobytes())
    return _address("png", _encoded(picture, "PNG", optimize=True))


def drawn(content: bytes) -> Picture:
    """The PNG file of a figure as an image inside the page, with its size in CSS pixels."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    width, height = (round(pixels / DPI * CSS_PIXELS) for pixels in picture.size)
    few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return {"source": _address("png", _encoded(few, "PNG", optimize=True)), "width": width, "height": height}


def _encoded(picture: Image.Image, form: str, **options: int | bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
