"""Heatmaps as pictures: red is evidence for the class, blue is evidence against it, white is none."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatproof.errors import InputError
from heatproof.report.style import GREY, LEADING, canvas, place, styled, wrapped, write_lines

# Colours of relevance 0, 1/2 and 1; the other sign has red and blue exchanged.
ANCHORS = np.array([[1.0, 1.0, 1.0], [0.95, 0.50, 0.36], [0.68, 0.0, 0.10]])
UNKNOWN = (0.8, 0.8, 0.8)  # NaN: neither for nor against

SIDE, WIDER_SIDE, NARROWEST = 108.0, 230.0, 82.0  # points: pictures of a gallery, of one explanation, of a column
CAPTION, GUTTER, MARGIN = 96.0, 7.0, 10.0
HEADER_SIZE, CAPTION_SIZE = 7.5, 7.0
BAR_ROOM, BAR_WIDTH, BAR_HEIGHT = 60.0, 170.0, 8.0
MOST_ROWS = 100


def symmetric_scale(heatmaps: np.ndarray) -> float:
    """The 99.5 % quantile of the absolute relevance: one outlying pixel must not bleach a picture.

    >>> symmetric_scale(np.array([[-2.0, -2.0], [2.0, 2.0]])), symmetric_scale(np.zeros((2, 2)))
    (2.0, 1.0)
    """
    sizes = np.abs(heatmaps[np.isfinite(heatmaps)]).astype(np.float64)
    if not sizes.any():
        return 1.0
    return float(np.quantile(sizes, 0.995) or sizes.max())  # nearly empty maps: the quantile is zero


def heatmap_rgb(heatmap: np.ndarray, scale: float | None = None) -> np.ndarray:
    """Colours (H, W, 3) of a signed heatmap (H, W), one pixel per pixel; ``scale`` is where the colour is full.

    >>> heatmap_rgb(np.array([[1.0, 0.0, -1.0]]))
    array([[[173,   0,  26],
            [255, 255, 255],
            [ 26,   0, 173]]], dtype=uint8)
    """
    heatmap = np.asarray(heatmap, dtype=np.float64)
    if heatmap.ndim != 2:
        raise InputError(f"a heatmap must have shape (H, W), got {heatmap.shape}")
    if scale is None:
        scale = symmetric_scale(heatmap)
    with np.errstate(over="ignore"):
        share = np.nan_to_num(heatmap / scale).clip(-1, 1)
    colours = np.stack([np.interp(np.abs(share), (0, 0.5, 1), anchor) for anchor in ANCHORS.T], axis=-1)
    colours = np.where(share[..., None] < 0, colours[..., ::-1], colours)
    colours[np.isnan(heatmap)] = UNKNOWN
    pixels: np.ndarray = np.rint(255 * colours).astype(np.uint8)
    return pixels


@styled()
def gallery_figure(images: np.ndarray, heatmaps: Mapping[str, np.ndarray], captions: Sequence[str]) -> Figure:
    """One row per image: its caption, the picture, and one heatmap per method.

    All maps share the scale −1 … 1, each in units of its own 99.5 % quantile: relevance differs by orders of magnitude
    between methods, and between images of one method.

    Args:
        images: (N, H, W, 3) in [0, 1].
        heatmaps: signed (N, H, W) by the name of the method.
        captions: N short texts, typically the file and its class; a line break is kept.

    >>> figure = gallery_figure(np.ones((2, 8, 8, 3)), {"random": np.zeros((2, 8, 8))}, ["cat.png", "dog.png"])
    >>> len(figure.axes)  # two pictures, two heatmaps, the colour bar
    5
    """
    _check(images, heatmaps, captions)
    coloured = {name: [heatmap_rgb(one) for one in maps] for name, maps in heatmaps.items()}
    pictures = {"image": [_opaque(image) for image in images], **coloured}
    return _rows_figure(pictures, captions, _size(images, SIDE), bar_room=BAR_ROOM)


@styled()
def pictures_figure(pictures: Mapping[str, np.ndarray], captions: Sequence[str], *, title: str = "") -> Figure:
    """One row per image: its caption, and its pictures (N, H, W, 3) in [0, 1] by the name of their column.

    >>> len(pictures_figure({"image": np.ones((2, 8, 8, 3)), "black": np.zeros((2, 8, 8, 3))}, ["cat", "dog"]).axes)
    4
    """
    first, *others = pictures.values()
    if any(other.shape != first.shape for other in others):
        raise InputError(f"pictures must have one shape, got {', '.join(str(one.shape) for one in pictures.values())}")
    _check_rows(first, captions)
    columns = {name: [_opaque(picture) for picture in column] for name, column in pictures.items()}
    return _rows_figure(columns, captions, _size(first, SIDE), title=title)


def _rows_figure(
    pictures: Mapping[str, Sequence[np.ndarray]],
    captions: Sequence[str],
    size: tuple[float, float],
    *,
    title: str = "",
    bar_room: float = 0.0,
) -> Figure:
    """Columns of pictures, each of a size (height, width) in points, with captions before the rows."""
    height, width = size
    column, left = max(width, NARROWEST) + GUTTER, MARGIN + CAPTION + GUTTER
    headers = [wrapped(name, column - GUTTER, HEADER_SIZE, lines=4) for name in pictures]
    row = max(height, 6 * CAPTION_SIZE * LEADING) + GUTTER
    above = MARGIN + max(map(len, headers)) * HEADER_SIZE * LEADING + 4
    figure, heading = canvas(
        left + column * len(headers) + MARGIN, above + row * len(captions) + (bar_room or MARGIN), title=title
    )
    top = heading + above
    for j, header in enumerate(headers):
        centre = left + j * column + (column - GUTTER) / 2
        for k, line in enumerate(reversed(header)):  # one by one, so that all last lines share a baseline
            bottom = top - 6 - k * HEADER_SIZE * LEADING
            write_lines(figure, [line], centre, bottom, size=HEADER_SIZE, ha="center", va="baseline")
    for i, caption in enumerate(captions):
        middle = top + i * row + (row - GUTTER) / 2
        _write_caption(figure, caption, left - GUTTER, middle)
        for j, shown in enumerate(pictures.values()):
            corner = left + j * column + (column - GUTTER - width) / 2
            _show(place(figure, corner, middle - height / 2, width, height), shown[i])
    if bar_room:
        _colour_bar(figure, left + (len(headers) * column - GUTTER) / 2, top + row * len(captions) + 8, ", per map")
    return figure


@styled()
def heatmap_figure(image: np.ndarray, heatmap: np.ndarray, *, title: str, caption: str) -> Figure:
    """A picture (H, W, 3) and its signed heatmap (H, W), side by side.

    >>> figure = heatmap_figure(np.ones((8, 8, 3)), np.zeros((8, 8)), title="lrp-epsilon", caption="cat.png: tabby")
    >>> len(figure.axes)
    3
    """
    _check(image[None], {title: heatmap[None]}, [caption])
    height, width = _size(image[None], WIDER_SIDE)
    column = max(width, WIDER_SIDE / 2)
    whole = 2 * MARGIN + 2 * column + GUTTER
    below = wrapped(caption, whole - 2 * MARGIN, CAPTION_SIZE + 1, lines=3)
    text_height = len(below) * (CAPTION_SIZE + 1) * LEADING
    figure, heading = canvas(whole, MARGIN + height + 6 + text_height + BAR_ROOM, title=title)
    top = heading + MARGIN
    for j, picture in enumerate((_opaque(image), heatmap_rgb(heatmap))):
        corner = MARGIN + j * (column + GUTTER) + (column - width) / 2
        _show(place(figure, corner, top, width, height), picture)
    write_lines(figure, below, MARGIN, top + height + 6, size=CAPTION_SIZE + 1, color=GREY)
    _colour_bar(figure, whole / 2, top + height + 6 + text_height + 8, "")
    return figure


def _check_rows(images: np.ndarray, captions: Sequence[str]) -> None:
    if images.ndim != 4 or images.shape[-1] != 3 or not images.size:
        raise InputError(f"images must have shape (N, H, W, 3) with something in it, got {images.shape}")
    if len(images) > MOST_ROWS:
        raise InputError(f"a gallery shows at most {MOST_ROWS} images, got {len(images)}; pass fewer of them")
    if len(captions) != len(images):
        raise InputError(f"expected one caption per image = {len(images)}, got {len(captions)}")


def _check(images: np.ndarray, heatmaps: Mapping[str, np.ndarray], captions: Sequence[str]) -> None:
    _check_rows(images, captions)
    if not heatmaps:
        raise InputError("expected the heatmaps of at least one method, got none")
    for name, maps in heatmaps.items():
        if maps.shape != images.shape[:3]:
            raise InputError(
                f"heatmaps of {name!r} must have shape (N, H, W) = {images.shape[:3]} "
                f"to match images {images.shape}, got {maps.shape}"
            )


def _size(images: np.ndarray, side: float) -> tuple[float, float]:
    """Height and width in points at which images (N, H, W, 3) are shown: the longer one is ``side``."""
    height, width = images.shape[1:3]
    return side * height / max(height, width), side * width / max(height, width)


def _opaque(image: np.ndarray) -> np.ndarray:
    opaque: np.ndarray = np.nan_to_num(image).clip(0, 1)
    return opaque


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color="#c8c8c8", linewidth=0.5)


def _write_caption(figure: Figure, caption: str, right: float, middle: float) -> None:
    parts = caption.splitlines() or [""]
    lines = [line for part in parts for line in wrapped(part, CAPTION, CAPTION_SIZE, lines=3)][:6]
    write_lines(figure, lines, right, middle, size=CAPTION_SIZE, ha="right", va="center")


def _colour_bar(figure: Figure, centre: float, top: float, of_what: str) -> None:
    axes = place(figure, centre - BAR_WIDTH / 2, top, BAR_WIDTH, BAR_HEIGHT)
    axes.imshow(heatmap_rgb(np.linspace(-1, 1, 201)[None], 1.0), aspect="auto", extent=(-1, 1, 0, 1))
    axes.set(yticks=[])
    axes.set_xticks([-1, 0, 1], ["\N{MINUS SIGN}1", "0", "1"])
    axes.tick_params(length=2, labelsize=CAPTION_SIZE)
    axes.spines[:].set(color="#c8c8c8", linewidth=0.5)
    label = f"evidence against … for the class\n(1 = 99.5 % quantile of |relevance|{of_what})"
    axes.set_xlabel(label, fontsize=CAPTION_SIZE, labelpad=3)
