"""Quantities over a series of networks, each in a panel of its own, and one that stands beside them all."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatproof.errors import InputError
from heatproof.report.charts import Band, SeriesChart
from heatproof.report.style import (
    FAINT,
    GREY,
    REFERENCE,
    canvas,
    legible,
    line_style,
    place,
    shortened,
    styled,
    write_lines,
)

PANEL_WIDTH, PANEL_HEIGHT = 170.0, 130.0  # points
LEFT, RIGHT, GAP, TOP, BOTTOM = 46.0, 46.0, 78.0, 24.0, 60.0
COLUMNS = 3
NAME_SIZE, LONGEST_NAME, MOST_NAMES = 6.5, 52.0, 16


@styled()
def series_figure(chart: SeriesChart) -> Figure:
    """One panel per quantity over the named networks, evenly spaced in the order given.

    >>> bands, words = [Band("AOPC", *np.arange(9.0).reshape(3, 3))], {"x": "checkpoint", "y": ""}
    >>> chart = SeriesChart(name="training", caption="Training", bands=bands, names=["a", "b", "c"], **words)
    >>> [axes.get_title(loc="left") for axes in series_figure(chart).axes]
    ['AOPC']
    """
    bands, beside = chart.bands, chart.beside
    _check(chart)
    columns = min(COLUMNS, len(bands))
    rows = ceil(len(bands) / columns)
    width = LEFT + columns * PANEL_WIDTH + (columns - 1) * GAP + RIGHT
    figure, heading = canvas(width, rows * (TOP + PANEL_HEIGHT + BOTTOM) + 12, title=chart.title or chart.caption)
    for number, band in enumerate(bands):
        row, column = divmod(number, columns)
        left, top = LEFT + column * (PANEL_WIDTH + GAP), heading + row * (TOP + PANEL_HEIGHT + BOTTOM) + TOP
        axes = place(figure, left, top, PANEL_WIDTH, PANEL_HEIGHT)
        _draw(axes, band, line_style(number)["color"], "-")
        axes.set_title(legible(band.name), fontsize=8, loc="left", color=line_style(number)["color"])
        _name(axes, chart.names)
        if beside is not None:
            other = axes.twinx()
            _draw(other, beside, REFERENCE["color"], REFERENCE["linestyle"])
            other.set_ylabel(legible(beside.name), color=GREY)
            other.spines[["top", "left"]].set_visible(False)
    explained = ["bands: 95 % intervals over images"] + (
        [f"dashed: {beside.name}, axis at the right"] if beside else []
    )
    write_lines(
        figure, ["; ".join(explained)], LEFT, heading + rows * (TOP + PANEL_HEIGHT + BOTTOM), size=6.5, color=GREY
    )
    return figure


def _check(chart: SeriesChart) -> None:
    if not chart.bands or not chart.names:
        raise InputError("expected at least one quantity of at least one network to draw")
    for band in (*chart.bands, *([chart.beside] if chart.beside else [])):
        band.check((len(chart.names),), "one value for each name")


def _draw(axes: Axes, band: Band, color: object, linestyle: object) -> None:
    places = np.arange(len(band.middle))
    axes.fill_between(places, band.low, band.high, color=color, alpha=0.14, linewidth=0)
    axes.plot(places, band.middle, color=color, linestyle=linestyle, linewidth=1.5, marker="o", markersize=2.5)
    axes.margins(x=0.03)
    axes.set_axisbelow(True)


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Names below the axes, as many as there is room for."""
    shown = range(0, len(names), ceil(len(names) / MOST_NAMES))
    labels = [shortened(legible(names[index]), LONGEST_NAME, NAME_SIZE) for index in shown]
    axes.set_xticks(shown, labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=NAME_SIZE)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
