"""Curves with their intervals, each named where it ends."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.optimize import isotonic_regression

from heatproof.errors import InputError
from heatproof.report.charts import Band, CurvesChart, extent
from heatproof.report.style import (
    EDGE,
    FAINT,
    GREY,
    REFERENCE,
    canvas,
    legible,
    line_style,
    open_box,
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


@styled()
def curves_figure(chart: CurvesChart) -> Figure:
    """Curves over the number of removed regions, named at their right ends in the order of their last values.

    >>> steps = np.linspace(0, 1, 11)
    >>> band = Band("random", middle=steps, low=steps, high=2 * steps, is_reference=True)
    >>> chart = CurvesChart(name="aopc", caption="AOPC", x="steps", y="AOPC", bands=[band], removed_fraction=steps / 9)
    >>> [line.get_label() for line in curves_figure(chart).axes[0].lines]
    ['random']
    """
    bands = chart.bands
    _check(chart)
    names = [shortened(legible(band.name), LONGEST_NAME, NAME_SIZE) for band in bands]
    name_width = ELBOW + HANDLE + GAP + EDGE + max(width_of(name, NAME_SIZE) for name in names)
    height = max(LEAST_HEIGHT, NAME_HEIGHT * len(bands))
    figure, heading = canvas(LEFT + WIDTH + name_width, TOP + height + BOTTOM, title=chart.title or chart.caption)
    axes = place(figure, LEFT, heading + TOP, WIDTH, height)
    name_axes = place(figure, LEFT + WIDTH, heading + TOP, name_width, height)
    styles = _draw(axes, chart)
    name_axes.set(xlim=(0, name_width), ylim=(0, height))
    _draw_names(name_axes, names, styles, ends=_ends(bands, axes) * height)
    if any(np.isfinite(band.low).any() for band in bands):
        write_lines(figure, ["bands: 95 % intervals"], LEFT, heading + TOP + height + 33, size=6.5, color=GREY)
    return figure


def draw_curves(axes: Axes, chart: CurvesChart) -> None:
    """Draws curves on given axes, named in a legend.

    >>> steps = np.linspace(0, 1, 11)
    >>> axes, band = Figure().subplots(), Band("lrp", steps, steps, 2 * steps)
    >>> chart = CurvesChart(name="aopc", caption="AOPC", x="steps", y="AOPC", bands=[band], removed_fraction=steps)
    >>> draw_curves(axes, chart)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['lrp']
    """
    _check(chart)
    _draw(axes, chart)
    lines = {str(line.get_label()): line for line in axes.lines}
    names = [band.name for band in chart.bands]
    axes.legend([lines[name] for name in names], [legible(name) for name in names], frameon=False)


def spread(wanted: np.ndarray, *, gap: float, room: float) -> np.ndarray:
    """Positions (N,) in [0, room] that lie ``gap`` apart, keep their order and are nearest to the wanted ones (N,).

    >>> spread(np.array([50.0, 51.0, 90.0]), gap=10, room=100)
    array([45.5, 55.5, 90. ])
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    level = isotonic_regression(wanted[order] - steps).x  # names that would collide move as one block
    placed = np.empty(len(wanted))
    placed[order] = level.clip(0, room - steps[-1]) + steps
    return placed


def _check(chart: CurvesChart) -> None:
    removed = np.asarray(chart.removed_fraction)
    if not chart.bands:
        raise InputError("expected at least one curve to draw, got none")
    if removed.ndim != 1 or not (np.diff(removed) >= 0).all():
        raise InputError("removed_fraction must be one share per step (L+1,) that never falls; pass it as measured")
    for band in chart.bands:
        if band.at is None:
            band.check(removed.shape, "to match removed_fraction")
        else:
            band.check(band.at.shape, "to match its steps")


def _draw(axes: Axes, chart: CurvesChart) -> list[dict[str, Any]]:
    """Draws axes and curves; returns how each curve looks."""
    _draw_axes(axes, chart)
    styles = _styles(chart.bands)
    for band, style in zip(chart.bands, styles, strict=True):
        _draw_band(axes, band, style)
    return styles


def _draw_axes(axes: Axes, chart: CurvesChart) -> None:
    last = len(chart.removed_fraction) - 1
    low, high = extent(chart.bands)
    margin = 0.05 * (high - low) or 0.5 * (abs(high) or 1.0)
    axes.set(xlim=(0, max(last, 1)), ylim=(low - margin, high + margin), xlabel=legible(chart.x))
    axes.set_ylabel(legible(chart.y))
    axes.grid(color=FAINT, linewidth=0.6)
    open_box(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if low < 0 < high:
        axes.axhline(0, color="#b8b8b8", linewidth=0.8, label="zero", zorder=1.5)
    percent = 100 * np.asarray(chart.removed_fraction, dtype=float)
    ticks = [tick for tick in MaxNLocator(6).tick_values(0, percent[-1]) if 0 <= tick <= percent[-1]]
    top = axes.secondary_xaxis("top")
    top.set_xticks(np.interp(ticks, percent, np.arange(last + 1)), [f"{tick:g}" for tick in ticks])
    top.set_xlabel(f"{chart.share} (%)")
    top.spines["top"].set_color(FAINT)


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
