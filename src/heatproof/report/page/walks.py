"""Pictures that are destroyed step by step: what a page needs to draw where(removed_at <= step, replacement, image)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.errors import InputError
from heatproof.report.page.pictures import coloured, photo
from heatproof.report.page.plots import rounded
from heatproof.report.page.texts import visible

MANY_REGIONS = 4096


@dataclass(frozen=True)
class Walk:
    """How one method destroys one picture.

    Attributes:
        name: of the method.
        heatmap: signed (H, W), if it has one.
        order: (L,) the region that each step removes; none where only the heatmap is shown.
        steps: (K + 1,) the steps after which the score was evaluated.
        scores: (K + 1,) after them.
    """

    name: str
    heatmap: np.ndarray | None = None
    order: np.ndarray | None = None
    steps: np.ndarray | None = None
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class Shown:
    """One picture, its heatmaps, and how each method destroys it.

    Attributes:
        name: of the picture.
        label: what the network sees in it.
        image: (H, W, 3) bytes.
        walks: one for each method that has this picture.
        replacement: (H, W, 3) bytes that removed pixels become; none where that changes with every step: what is
            removed is then shown as grey.
        regions: (H, W) region indices, −1 = never removed; none where nothing is removed.
    """

    name: str
    label: str
    image: np.ndarray
    walks: Sequence[Walk]
    replacement: np.ndarray | None = None
    regions: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.image.shape
        if len(shape) != 3 or shape[2] != 3 or self.image.dtype != np.uint8:
            raise InputError(f"a picture must be bytes of shape (H, W, 3), got {self.image.dtype} of shape {shape}")
        others = [self.regions, *(walk.heatmap for walk in self.walks)]
        if self.replacement is not None:
            others.append(self.replacement[..., 0])
        for other in others:
            if other is not None and other.shape != shape[:2]:
                raise InputError(f"maps of {self.name!r} must have shape (H, W) = {shape[:2]}, got {other.shape}")


def described(pictures: Sequence[Shown], unit: str) -> dict[str, Any]:
    """All of it as JSON-able values. Region maps that pictures share are there once."""
    shared: dict[bytes, int] = {}
    maps: list[dict[str, list[int]]] = []
    found = []
    for shown in pictures:
        place = None
        if shown.regions is not None:
            kept = _worth_sending(shown.regions, shown.walks)
            key = kept.astype(np.int32).tobytes()
            if key not in shared:
                shared[key] = len(maps)
                maps.append(rectangles(kept))
            place = shared[key]
        found.append(_described(shown) | {"regions": place})
    return {"pictures": found, "regions": maps, "unit": unit}


def _worth_sending(regions: np.ndarray, walks: Sequence[Walk]) -> np.ndarray:
    """The map; of very many regions those that some method removes."""
    orders = [walk.order for walk in walks if walk.order is not None]
    if regions.max() < MANY_REGIONS or not orders:
        return regions
    return np.where(np.isin(regions, np.concatenate(orders)), regions, -1)


def rectangles(regions: np.ndarray) -> dict[str, list[int]]:
    """Each region of a map (H, W) as rectangles, x, y, width, height one after the other; −1 is left out.

    >>> rectangles(np.array([[0, 0, 1], [0, 0, -1], [2, 0, 0]]))
    {'0': [0, 0, 2, 2, 1, 2, 2, 1], '1': [2, 0, 1, 1], '2': [0, 2, 1, 1]}
    """
    found: dict[str, list[int]] = {}
    open_ones: dict[tuple[int, int, int], int] = {}  # (region, x, width) of the row above: where its rectangle starts
    for y, row in enumerate(regions):
        ends = np.append(np.flatnonzero(np.diff(row)) + 1, len(row))
        starts = np.append(0, ends[:-1])
        now: dict[tuple[int, int, int], int] = {}
        for x, end in zip(starts.tolist(), ends.tolist(), strict=True):
            region = int(row[x])
            if region < 0:
                continue
            run = (region, x, end - x)
            parts = found.setdefault(str(region), [])
            if run in open_ones:
                now[run] = open_ones[run]
                parts[now[run] + 3] += 1
            else:
                now[run] = len(parts)
                parts += [x, y, end - x, 1]
        open_ones = now
    return found


def _described(shown: Shown) -> dict[str, Any]:
    height, width = shown.image.shape[:2]
    return {
        "name": visible(shown.name),
        "label": visible(shown.label),
        "width": width,
        "height": height,
        "image": photo(shown.image),
        "replacement": None if shown.replacement is None else photo(shown.replacement),
        "walks": [_walk(walk) for walk in shown.walks],
    }


def _walk(walk: Walk) -> dict[str, Any]:
    told: dict[str, Any] = {
        "series": walk.name,
        "heatmap": None if walk.heatmap is None else coloured(walk.heatmap),
    }
    if walk.order is not None and walk.steps is not None and walk.scores is not None:
        told |= {"order": walk.order.tolist(), "at": walk.steps.tolist(), "scores": rounded(walk.scores)}
    return told
