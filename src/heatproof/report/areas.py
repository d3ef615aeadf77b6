"""Pairs of curves and the area between them, side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heatproof.errors import InputError
from heatproof.report.charts import AreasChart, Panel, extent
from heatproof.report.style import (
    COLOURS,
    FAINT,
    GREY,
    LEADING,
    canvas,
    legible,
    open_box,
    place,
    styled,
    wrapped,
    write_lines,
)

SIDE, MOST_COLUMNS = 150.0, 5  # points; panels in a row
LEFT, RIGHT, TOP, BOTTOM, GUTTER = 46.0, 14.0, 44.0, 34.0, 20.0  # points around panels
KEY_HEIGHT = 20.0
NAME_SIZE, TEXT_SIZE, NAME_LINES, GAP = 8.5, 7.5, 2, 6.0


@styled()
def areas_figure(chart: AreasChart) -> Figure:
    """One panel for each pair of curves, all with the same axes; the area between the two is shaded.

    A key names the curves of the first panel.

    >>> from heatproof.report.charts import Band
    >>> steps = np.linspace(0, 1, 11)
    >>> lerf, morf = (Band(name, middle, middle, middle) for name, middle in (("LeRF", steps), ("MoRF", -steps)))
    >>> pair = Panel("uniform", "ABPC 1.0", lerf, morf)
    >>> chart = AreasChart(name="areas", caption="ABPC", x="removed regions", y="score", panels=[pair, pair])
    >>> len(areas_figure(chart).axes)
    2
    """
    panels = chart.panels
    _check(panels)
    columns = _columns(len(panels))
    rows = -(-len(panels) // columns)
    width = LEFT + columns * (SIDE + GUTTER) - GUTTER + RIGHT
    note = wrapped(_note(panels), width - LEFT - RIGHT, TEXT_SIZE, lines=3)
    below = BOTTOM + len(note) * TEXT_SIZE * LEADING + GAP
    figure, heading = canvas(width, KEY_HEIGHT + rows * (TOP + SIDE) + below, title=chart.title or chart.caption)
    limits = _limits(panels)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left, top = LEFT + column * (SIDE + GUTTER), heading + KEY_HEIGHT + TOP + row * (TOP + SIDE)
        axes = place(figure, left, top, SIDE, SIDE)
        _draw(axes, panel, limits)
        name = wrapped(panel.name, SIDE, NAME_SIZE, lines=NAME_LINES, bold=True)
        write_lines(figure, name, left, top - 18, size=NAME_SIZE, weight="bold", va="baseline")
        write_lines(figure, [legible(panel.text)], left, top - 7, size=TEXT_SIZE, color=GREY, va="baseline")
        if column:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(legible(chart.y))
        if number + columns >= len(panels):
            axes.set_xlabel(legible(chart.x))
        else:
            axes.tick_params(labelbottom=False)
    _draw_key(figure, panels[0], heading)
    end = heading + KEY_HEIGHT + rows * (TOP + SIDE)
    write_lines(figure, note, LEFT, end + BOTTOM, size=TEXT_SIZE, color=GREY)
    return figure


def _columns(number: int) -> int:
    """Panels in a row, so that rows are as even as can be.

    >>> [_columns(number) for number in (1, 4, 5, 6, 7, 10, 11)]
    [1, 4, 5, 3, 4, 5, 4]
    """
    rows = -(-number // MOST_COLUMNS)
    return -(-number // rows)


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """Lowest and highest value of all, with a margin."""
    low, high = extent([band for panel in panels for band in (panel.upper, panel.lower)])
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _draw(axes: Axes, panel: Panel, limits: tuple[float, float]) -> None:
    steps = panel.upper.steps
    axes.set(xlim=(0, max(steps[-1], 1)), ylim=limits)
    axes.grid(color=FAINT, linewidth=0.6)
    open_box(axes)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    upper, lower = panel.upper.middle, panel.lower.middle
    where_above = upper >= lower
    axes.fill_between(steps, lower, upper, where=where_above, interpolate=True, color="#d9d9d9", linewidth=0)
    axes.fill_between(
        steps, lower, upper, where=~where_above, interpolate=True, facecolor="#d9d9d9", hatch="////",
        edgecolor="#999999", linewidth=0,
    )  # fmt: skip
    for band, colour in zip((panel.upper, panel.lower), COLOURS, strict=False):
        for edge in (band.low, band.high):
            axes.plot(steps, edge, color=colour, linewidth=0.5, alpha=0.6)
        axes.plot(steps, band.middle, color=colour, linewidth=1.6, label=band.name)


def _draw_key(figure: Figure, panel: Panel, heading: float) -> None:
    """Names of the two curves, in their colours, above all panels."""
    left = LEFT
    for band, colour in zip((panel.upper, panel.lower), COLOURS, strict=False):
        text = f"━ {band.name}"
        write_lines(figure, [text], left, heading + 2, size=TEXT_SIZE, color=colour)
        left += 6.0 + 4.4 * len(text)


def _note(panels: Sequence[Panel]) -> str:
    """What is not a curve."""
    crossed = any((panel.upper.middle < panel.lower.middle).any() for panel in panels)
    has_bands = any(np.isfinite(band.low).any() for panel in panels for band in (panel.upper, panel.lower))
    shaded = "shaded: the area between" + (" (hatched: counts as negative)" if crossed else "")
    return shaded + ("; thin lines: 95 % intervals" if has_bands else "")


def _check(panels: Sequence[Panel]) -> None:
    if not panels:
        raise InputError("expected at least one pair of curves to draw, got none")
    expected = np.shape(panels[0].upper.middle)
    for panel in panels:
        for band in (panel.upper, panel.lower):
            band.check(expected, f"as the first curve of the chart (see {panel.name!r})")
