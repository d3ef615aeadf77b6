"""What is drawn, as plain data: by Matplotlib on paper (``drawing``), and by Plotly in the browser (``page/plots``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heatproof.errors import InputError


@dataclass(frozen=True)
class Band:
    """A curve over steps with its 95 % interval: three arrays of shape (L+1,); NaN where there is no interval.

    ``at`` holds the steps of its points, where these are not all of 0 … L; the arrays are then as long as it is.

    >>> Band("random", middle=np.zeros(3), low=np.full(3, -1.0), high=np.ones(3), is_reference=True).name
    'random'
    """

    name: str
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_reference: bool = False
    at: np.ndarray | None = None

    @property
    def steps(self) -> np.ndarray:
        """The steps of its points."""
        return np.arange(len(self.middle)) if self.at is None else self.at

    def check(self, shape: tuple[int, ...], where: str) -> None:
        """Refuses arrays of another shape than the one expected ``where``, in words."""
        for part in ("middle", "low", "high"):
            found = np.shape(getattr(self, part))
            if found != shape:
                raise InputError(f"{part} of curve {self.name!r} must have shape {shape} {where}, got {found}")


def extent(bands: Sequence[Band]) -> tuple[float, float]:
    """Lowest and highest value of all curves and intervals; zeros where there is none."""
    values = np.concatenate([part for band in bands for part in (band.middle, band.low, band.high)])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


@dataclass(frozen=True)
class Panel:
    """Two curves over the same steps with the area between them.

    Attributes:
        name: above the panel.
        text: below the name, typically the area.
        upper: the curve that should stay high.
        lower: the curve that should fall.
    """

    name: str
    text: str
    upper: Band
    lower: Band


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """Something that is drawn.

    Attributes:
        name: of its files.
        caption: what stands above it, or below pictures.
        title: on paper, where it is not the caption.
    """

    name: str
    caption: str
    title: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart(Drawing):
    """A chart of some series, each of which has one colour wherever it appears.

    Attributes:
        x: below the horizontal axis, with the unit.
        y: beside the vertical axis, with the unit.
        about: below it, for those who want to know how to read it.
    """

    x: str
    y: str
    about: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class CurvesChart(Chart):
    """Curves with their 95 % intervals over the number of removed regions.

    Attributes:
        bands: the curves; one keeps its colour as long as it keeps its place in this sequence.
        removed_fraction: (L+1,) share of the image that is gone at each step.
        kind: what the curves are of: charts of one kind are filtered together, and share colours.
        limits: of the vertical axis in the browser, if it is not to follow the values.
        share: what ``removed_fraction`` is a share of, in words.
    """

    bands: Sequence[Band]
    removed_fraction: np.ndarray
    kind: str = "methods"
    limits: tuple[float, float] | None = None
    share: str = "removed share of the image"


@dataclass(frozen=True, kw_only=True, eq=False)
class AreasChart(Chart):
    """Pairs of curves with the area between them, each in a panel; all have the same axes."""

    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesChart(Chart):
    """Quantities over named networks, each in a panel.

    Attributes:
        bands: the quantities, three arrays (C,) each.
        names: C names of the networks.
        beside: a quantity that stands in every panel, dashed and on an axis of its own at the right.
    """

    bands: Sequence[Band]
    names: Sequence[str]
    beside: Band | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ScatterChart(Chart):
    """One point per image (N, 2) and method, and a large one for the mean of each method."""

    points: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxesChart(Chart):
    """One box per method: median, quartiles, the last values within 1.5 box lengths, and those beyond as points.

    Attributes:
        values: (N,) by method.
    """

    values: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class RangesChart(Chart):
    """One row for each name: a mean with its 95 % interval.

    Attributes:
        values: mean, low and high by name, the first one on top.
        groups: what each name is, in a word; each group has one colour.
        reference: where a dashed line stands.
    """

    values: Mapping[str, tuple[float, float, float]]
    groups: Mapping[str, str]
    reference: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery(Drawing):
    """One row per image: its caption, the picture, and one heatmap per method.

    Attributes:
        images: (N, H, W, 3) in [0, 1].
        heatmaps: signed (N, H, W) by the name of the method.
        captions: N short texts.
    """

    images: np.ndarray
    heatmaps: Mapping[str, np.ndarray]
    captions: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureRows(Drawing):
    """One row per image: its caption, and its pictures.

    Attributes:
        pictures: (N, H, W, 3) in [0, 1] by the name of their column.
        captions: N short texts.
    """

    pictures: Mapping[str, np.ndarray]
    captions: Sequence[str]
