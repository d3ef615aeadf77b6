"""One place in image after image: where relevance lies there whatever the image shows, a shortcut may be.

A network that learned to read a mark, such as a caption in a corner, depends on the same place in every image, and the
heatmaps show it [Lapuschkin2019]. A *place* is a window of a quarter of the rows and a quarter of the columns of a grid
of regions, a sixteenth of the image: the mark need not fit the grid. What is counted is the share of the images whose
most relevant region, the first that MoRF removes, lies in one and the same place.

Things stand in the middle of photographs, and so does their relevance. So only places are asked about that do not
overlap the middle half of the rows and columns, and a place recurs where more than half of all images have their most
relevant region there, significantly more than by chance. The null distribution is binomial: each image falls into the
place with a probability of the place's share of the regions. The p-value is multiplied by the number of places
(Bonferroni). Images are taken as independent; frames of a video, or pictures that are cut alike, are not.
"""

from dataclasses import dataclass

import numpy as np
import scipy

FEWEST = 8  # rows and columns of the grid, so that a quarter of them is at least two
MAJORITY, LEVEL = 0.5, 0.05


@dataclass(frozen=True)
class Place:
    """The place, far from the middle, where the most relevant region of most images lies.

    Attributes:
        share: of the images, whose most relevant region lies there.
        p: that a place has so many by chance, corrected for the number of places.
        where: in words, the mean of those regions.
        inside: (N,) whether the most relevant region of each image lies there.
    """

    share: float
    p: float
    where: str
    inside: np.ndarray

    @property
    def recurs(self) -> bool:
        """Whether it is the place of more than half of all images, significantly more than by chance."""
        return self.share > MAJORITY and self.p <= LEVEL


def recurring_place(first: np.ndarray, rows: int, columns: int) -> Place | None:
    """The place where most of the images (N,) have their ``first`` region, of a grid numbered row by row.

    None where the grid has fewer than 8 rows or columns.

    >>> place = recurring_place(np.array([0, 9, 8, 0, 1, 36]), 8, 8)
    >>> round(place.share, 2), place.where, place.recurs
    (0.83, 'at the top left', True)
    """
    if min(rows, columns) < FEWEST:
        return None
    height, width = rows // 4, columns // 4
    counts = np.bincount(first, minlength=rows * columns).reshape(rows, columns)
    windows = np.lib.stride_tricks.sliding_window_view(counts, (height, width)).sum(axis=(2, 3))
    far = _far(rows, height)[:, None] | _far(columns, width)
    top, left = np.unravel_index(np.where(far, windows, -1).argmax(), windows.shape)
    chance = scipy.stats.binom.sf(windows[top, left] - 1, len(first), height * width / (rows * columns))
    row, column = np.divmod(first, columns)
    inside = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
    centre = ((row[inside].mean() + 0.5) / rows, (column[inside].mean() + 0.5) / columns) if inside.any() else None
    where = "nowhere" if centre is None else _words(*centre)
    return Place(float(inside.mean()), min(1.0, float(chance) * int(far.sum())), where, inside)


def _far(count: int, size: int) -> np.ndarray:
    """(count − size + 1,) whether a window that begins there does not overlap the middle half."""
    start = np.arange(count - size + 1)
    return (start + size <= count / 4) | (start >= 3 * count / 4)


def _words(down: float, across: float) -> str:
    """The place of a point, given as shares of the height and of the width."""
    vertical = "top" if down < 1 / 3 else "bottom" if down > 2 / 3 else ""
    horizontal = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    return f"at the {vertical} {horizontal}".rstrip() if vertical else f"on the {horizontal}"
