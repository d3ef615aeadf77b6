"""Many values of each method: as points in a plane, and as boxes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from heatproof.errors import InputError
from heatproof.report.charts import BoxesChart, RangesChart, ScatterChart
from heatproof.report.style import (
    COLOURS,
    EDGE,
    FAINT,
    GREY,
    INK,
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

LEFT, TOP, BOTTOM = 50.0, 12.0, 46.0  # points around the axes
SIDE, WIDTH, ROW = 260.0, 300.0, 24.0
NAME_SIZE, LONGEST_NAME, NAME_HEIGHT = 8, 230.0, 14.0
MARKERS = "osD^vP*Xdp<>hH8"


@styled()
def scatter_figure(chart: ScatterChart) -> Figure:
    """One point per image and method, and a large one for the mean of each method.

    >>> words = {"name": "sizes", "caption": "sizes", "x": "PNG (KB)", "y": "JPEG (KB)"}
    >>> figure = scatter_figure(ScatterChart(points={"random": np.ones((5, 2))}, **words))
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['random']
    """
    points = chart.points
    _check(points, dimensions=2)
    names = [shortened(legible(name), LONGEST_NAME, NAME_SIZE) for name in points]
    legend = 28 + max(width_of(name, NAME_SIZE) for name in names) + EDGE
    figure, heading = canvas(LEFT + SIDE + legend, TOP + SIDE + BOTTOM, title=chart.title or chart.caption)
    axes = place(figure, LEFT, heading + TOP, SIDE, SIDE)
    open_box(axes)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set(xlabel=legible(chart.x), ylabel=legible(chart.y))
    key = place(figure, LEFT + SIDE, heading + TOP, legend, SIDE)
    key.axis("off")
    key.set(xlim=(0, legend), ylim=(SIDE, 0))
    for i, (name, values) in enumerate(zip(names, points.values(), strict=True)):
        look: dict[str, Any] = {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": "none",
        }
        axes.plot(*values.T, **look, markersize=3, alpha=0.35, markeredgewidth=0)
        axes.plot(*values.mean(axis=0), **look, markersize=9, markeredgecolor="white", markeredgewidth=1, zorder=3)
        height = NAME_HEIGHT * (i + 0.5)
        key.plot(18, height, **look, markersize=6, clip_on=False)
        key.text(28, height, name, fontsize=NAME_SIZE, va="center_baseline")
    write_lines(figure, ["small: one image; large: the mean"], LEFT, heading + TOP + SIDE + 31, size=6.5, color=GREY)
    return figure


@styled()
def boxes_figure(chart: BoxesChart) -> Figure:
    """One box per method.

    >>> words = {"name": "entropy", "caption": "entropy", "x": "bits", "y": "method"}
    >>> figure = boxes_figure(BoxesChart(values={"random": np.arange(5.0)}, **words))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['random']
    """
    values = chart.values
    _check(values, dimensions=1)
    names = [shortened(legible(name), LONGEST_NAME, NAME_SIZE) for name in values]
    left = EDGE + 8 + max(width_of(name, NAME_SIZE) for name in names)
    height = ROW * len(names)
    figure, heading = canvas(left + WIDTH + 2 * EDGE, TOP + height + BOTTOM, title=chart.title or chart.caption)
    axes = place(figure, left, heading + TOP, WIDTH, height)
    open_box(axes)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    boxes = axes.boxplot(
        list(values.values()),
        orientation="horizontal",
        widths=0.6,
        patch_artist=True,
        medianprops={"color": INK, "linewidth": 1.4},
        flierprops={"marker": "o", "markersize": 2.5, "markerfacecolor": GREY, "markeredgewidth": 0},
        whiskerprops={"color": GREY, "linewidth": 0.8},
        capprops={"color": GREY, "linewidth": 0.8},
        boxprops={"edgecolor": GREY, "linewidth": 0.8},
    )
    for i, box in enumerate(boxes["boxes"]):
        box.set(facecolor=line_style(i)["color"], alpha=0.75)
    axes.set_yticks(range(1, len(names) + 1), names, fontsize=NAME_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel(legible(chart.x))
    text = "line: median; box: quartiles; whiskers: the last values within 1.5 box lengths"
    write_lines(figure, [text], left, heading + TOP + height + 31, size=6.5, color=GREY)
    return figure


@styled()
def ranges_figure(chart: RangesChart) -> Figure:
    """One row for each name: a mean with its 95 % interval.

    >>> words = {"name": "assay", "caption": "assay", "x": "ABPC (logit)", "y": "map"}
    >>> groups = {"lrp-epsilon": "method", "sobel": "control"}
    >>> values = {"lrp-epsilon": (2.0, 1.0, 3.0), "sobel": (0.5, -1.0, 2.0)}
    >>> figure = ranges_figure(RangesChart(values=values, groups=groups, **words))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['lrp-epsilon', 'sobel']
    """
    if not chart.values:
        raise InputError("expected at least one mean to draw, got none")
    names = [shortened(legible(name), LONGEST_NAME, NAME_SIZE) for name in chart.values]
    left = EDGE + 8 + max(width_of(name, NAME_SIZE) for name in names)
    height = NAME_HEIGHT * len(names)
    figure, heading = canvas(left + WIDTH + 2 * EDGE, TOP + height + BOTTOM, title=chart.title or chart.caption)
    axes = place(figure, left, heading + TOP, WIDTH, height)
    open_box(axes)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.axvline(chart.reference, color=GREY, linewidth=1, linestyle=(0, (4, 2)))
    for row, (name, (mean, low, high)) in enumerate(chart.values.items()):
        group = group_number(chart, name)
        look: dict[str, Any] = {"color": COLOURS[group % len(COLOURS)], "marker": MARKERS[group % len(MARKERS)]}
        axes.plot([low, high], [row, row], color=look["color"], linewidth=1.4)
        axes.plot(mean, row, **look, markersize=4.5, linestyle="none")
    axes.set_yticks(range(len(names)), names, fontsize=NAME_SIZE)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(legible(chart.x))
    shapes = {"o": "circle", "s": "square", "D": "diamond", "^": "triangle", "v": "inverted triangle"}
    groups = dict.fromkeys(chart.groups.values())
    key = "; ".join(f"{shapes.get(MARKERS[number], 'mark')}: {group}" for number, group in enumerate(groups))
    write_lines(figure, [f"{key}; lines: 95 % intervals"], EDGE, heading + TOP + height + 31, size=6.5, color=GREY)
    return figure


def group_number(chart: RangesChart, name: str) -> int:
    """Number of the group that a name belongs to, in the order of their first names."""
    return list(dict.fromkeys(chart.groups.values())).index(chart.groups[name])


def _check(values: Mapping[str, np.ndarray], *, dimensions: int) -> None:
    if not values:
        raise InputError("expected the values of at least one method to draw, got none")
    shape = "(N, 2)" if dimensions == 2 else "(N,)"
    for name, array in values.items():
        wrong = array.ndim != dimensions or not array.size or (dimensions == 2 and array.shape[1] != 2)
        if wrong or not np.isfinite(array).all():
            raise InputError(f"values of {name!r} must be finite and have shape {shape}, got {array.shape}")
