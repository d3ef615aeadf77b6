"""Curves with their intervals, each named where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heatproof.errors import InputError
from heatproof.report.style import (
    EDGE,
    FAINT,
    GREY,
    REFERENCE,
    canvas,
    legible,
    line_style,
    place,
    shortened,
    styled,
    width_of,
    write_lines,
)

LEFT, TOP, BOTTOM = 50.0, 34.0, 48.0  # points around the axes
WIDTH, LEAST_HEIGHT = 340.0, 230.0
NAME_SIZE, NAME_HEIGHT, LONGEST_NAME = 8, 11.5, 230.0
ELBOW, HANDLE, GAP = 12.0, 24.0, 4.0  # from the end of a curve to its name: a way up or down, a sample of its dashes


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
        """Of its points."""
        return np.arange(len(self.middle)) if self.at is None else self.at


@styled()
def curves_figure(bands: Sequence[Band], *, title: str, ylabel: str, removed_fraction: np.ndarray) -> Figure:
    """Curves over the number of removed regions, named at their right ends in the order of their last values.

    Args:
        bands: the curves; one keeps its colour as long as it keeps its place in this sequence.
        title: a line or two above the axes.
        ylabel: what the curves measure, with its unit.
        removed_fraction: (L+1,) share of the image that is gone at each step, for the axis on top.

    >>> steps = np.linspace(0, 1, 11)
    >>> figure = curves_figure(
    ...     [Band("random", middle=steps, low=steps, high=2 * steps, is_reference=True)],
    ...     title="AOPC", ylabel="AOPC", removed_fraction=0.157 * steps,
    ... )
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['random']
    """
    _check(bands, np.asarray(removed_fraction))
    names = [shortened(legible(band.name), LONGEST_NAME, NAME_SIZE) for band in bands]
    name_width = ELBOW + HANDLE + GAP + EDGE + max(width_of(name, NAME_SIZE) for name in names)
    height = max(LEAST_HEIGHT, NAME_HEIGHT * len(bands))
    figure, heading = canvas(LEFT + WIDTH + name_width, TOP + height + BOTTOM, title=title)
    axes = place(figure, LEFT, heading + TOP, WIDTH, height)
    name_axes = place(figure, LEFT + WIDTH, heading + TOP, name_width, height)
    _draw_axes(axes, bands, ylabel=ylabel, removed_fraction=np.asarray(removed_fraction, dtype=float))
    styles = _styles(bands)
    for band, style in zip(bands, styles, strict=True):
        _draw_band(axes, band, style)
    name_axes.set(xlim=(0, name_width), ylim=(0, height))
    _draw_names(name_axes, names, styles, ends=_ends(bands, axes) * height)
    if any(np.isfinite(band.low).any() for band in bands):
        write_lines(figure, ["bands: 95 % intervals"], LEFT, heading + TOP + height + 33, size=6.5, color=GREY)
    return figure


def draw_curves(axes: Axes, bands: Sequence[Band], *, ylabel: str, removed_fraction: np.ndarray) -> None:
    """The same curves on axes of yours, named in a legend.

    >>> steps = np.linspace(0, 1, 11)
    >>> axes = Figure().subplots()
    >>> draw_curves(axes, [Band("lrp", steps, steps, 2 * steps)], ylabel="AOPC", removed_fraction=steps)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['lrp']
    """
    _check(bands, np.asarray(removed_fraction))
    _draw_axes(axes, bands, ylabel=ylabel, removed_fraction=np.asarray(removed_fraction, dtype=float))
    for band, style in zip(bands, _styles(bands), strict=True):
        _draw_band(axes, band, style)
    lines = {str(line.get_label()): line for line in axes.lines}
    axes.legend([lines[band.name] for band in bands], [legible(band.name) for band in bands], frameon=False)


def spread(wanted: np.ndarray, *, gap: float, room: float) -> np.ndarray:
    """Positions (N,) in [0, room] that lie ``gap`` apart, keep their order and are nearest to the wanted ones (N,).

    >>> spread(np.array([50.0, 51.0, 90.0]), gap=10, room=100)
    array([45.5, 55.5, 90. ])
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    blocks: list[tuple[float, int]] = []  # isotonic regression: names that would collide move as one block
    for value in wanted[order] - steps:
        mean, count = float(value), 1
        while blocks and blocks[-1][0] > mean:
            above, more = blocks.pop()
            mean, count = (mean * count + above * more) / (count + more), count + more
        blocks.append((mean, count))
    level = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
    placed = np.empty(len(wanted))
    placed[order] = level.clip(0, room - steps[-1]) + steps
    return placed


def _check(bands: Sequence[Band], removed_fraction: np.ndarray) -> None:
    if not bands:
        raise InputError("expected at least one curve to draw, got none")
    if removed_fraction.ndim != 1 or not (np.diff(removed_fraction) >= 0).all():
        raise InputError("removed_fraction must be one share per step (L+1,) that never falls; pass it as measured")
    for band in bands:
        for part in ("middle", "low", "high"):
            shape = np.shape(getattr(band, part))
            expected = removed_fraction.shape if band.at is None else band.at.shape
            if shape != expected:
                raise InputError(
                    f"{part} of curve {band.name!r} must have shape (L+1,) = {expected} to match "
                    f"{'removed_fraction' if band.at is None else 'its steps'}, got {shape}"
                )


def _draw_axes(axes: Axes, bands: Sequence[Band], *, ylabel: str, removed_fraction: np.ndarray) -> None:
    last = len(removed_fraction) - 1
    low, high = _range(bands)
    margin = 0.05 * (high - low) or 0.5 * (abs(high) or 1.0)
    axes.set(xlim=(0, max(last, 1)), ylim=(low - margin, high + margin), xlabel="removed regions")
    axes.set_ylabel(legible(ylabel))
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if low < 0 < high:
        axes.axhline(0, color="#b8b8b8", linewidth=0.8, label="zero", zorder=1.5)
    percent = 100 * removed_fraction
    ticks = [tick for tick in MaxNLocator(6).tick_values(0, percent[-1]) if 0 <= tick <= percent[-1]]
    top = axes.secondary_xaxis("top")
    top.set_xticks(np.interp(ticks, percent, np.arange(last + 1)), [f"{tick:g}" for tick in ticks])
    top.set_xlabel("removed share of the image (%)")
    top.spines["top"].set_color(FAINT)


def _range(bands: Sequence[Band]) -> tuple[float, float]:
    """Lowest and highest value of all curves and intervals."""
    values = np.concatenate([part for band in bands for part in (band.middle, band.low, band.high)])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


def _styles(bands: Sequence[Band]) -> list[dict[str, Any]]:
    methods = [i for i, band in enumerate(bands) if not band.is_reference]
    return [line_style(methods.index(i)) if i in methods else REFERENCE for i in range(len(bands))]


def _draw_band(axes: Axes, band: Band, style: dict[str, Any]) -> None:
    few = np.isfinite(band.middle).sum() <= 12
    axes.fill_between(band.steps, band.low, band.high, color=style["color"], alpha=0.14, linewidth=0)
    axes.plot(
        band.steps,
        band.middle,
        **style,
        label=band.name,
        linewidth=1.5,
        marker="o" if few else "",
        markersize=3,
        clip_on=False,
    )


def _ends(bands: Sequence[Band], axes: Axes) -> np.ndarray:
    """Height (N,) at which each curve ends, as a share of the axes; NaN for a curve without a value."""
    low, high = axes.get_ylim()
    finite = [band.middle[np.isfinite(band.middle)] for band in bands]
    return np.array([(values[-1] - low) / (high - low) if len(values) else np.nan for values in finite])


def _draw_names(axes: Axes, names: Sequence[str], styles: Sequence[dict[str, Any]], *, ends: np.ndarray) -> None:
    """Writes each name beside the end of its curve, in points, with an elbow and a sample of its dashes before it."""
    axes.axis("off")
    heights = spread(np.nan_to_num(ends), gap=NAME_HEIGHT, room=axes.get_ylim()[1])
    for name, style, end, height in zip(names, styles, ends, heights, strict=True):
        axes.plot([0, ELBOW], [end, height], color=style["color"], linewidth=0.7, alpha=0.6, clip_on=False)
        axes.plot([ELBOW, ELBOW + HANDLE], [height, height], **style, linewidth=1.5, clip_on=False)
        axes.text(ELBOW + HANDLE + GAP, height, name, fontsize=NAME_SIZE, va="center_baseline")
