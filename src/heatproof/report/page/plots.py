"""Charts for Plotly; colours come in the browser, which knows whether it is dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heatproof.report.charts import (
    AreasChart,
    Band,
    BoxesChart,
    Chart,
    CurvesChart,
    RangesChart,
    ScatterChart,
    SeriesChart,
    extent,
)
from heatproof.report.page.texts import literal, short, visible

UPWARDS = -30  # degrees: names of steps end below their points, and the last one stays inside
DIGITS = 6  # significant ones of what is drawn
ROOM = 0.04  # of their range, above and below the values of areas
Trace = dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """A chart for Plotly.

    Attributes:
        caption: above it.
        about: below it, for those who want to know how to read it.
        said: what a screen reader says of it.
        kind: what its series are: charts of one kind are filtered together, and share colours.
        names: of its series, in the order of their colours; that of the reference is in ``reference``.
        traces: without colours; ``meta.series`` is the name.
        layout: without colours.
        reference: the series that is grey and dashed.
    """

    caption: str
    about: str
    said: str
    kind: str
    names: tuple[str, ...]
    traces: Sequence[Trace]
    layout: dict[str, Any]
    reference: str = ""


def plots_of(chart: Chart) -> list[Plot]:
    """A chart as one plot, or as one for each of its panels.

    >>> band = Band("random", np.zeros(3), np.zeros(3), np.ones(3), is_reference=True)
    >>> (plot,) = plots_of(
    ...     CurvesChart(name="aopc", caption="AOPC", x="steps", y="logit", bands=[band], removed_fraction=np.zeros(3))
    ... )
    >>> [trace["meta"] for trace in plot.traces]
    [{'series': 'random', 'part': 'band'}, {'series': 'random', 'part': 'line'}]
    """
    return PLOTS[type(chart)](chart)


def _single(chart: CurvesChart) -> list[Plot]:
    plot = _curves(chart, chart.bands, kind=chart.kind, caption=chart.caption, y=chart.y)
    if chart.limits:
        plot.layout["yaxis"]["range"] = list(chart.limits)
    return [plot]


def _curves(chart: Chart, bands: Sequence[Band], *, kind: str, caption: str, y: str) -> Plot:
    parts = [_band_traces(band) for band in bands]
    return Plot(
        caption=caption,
        about=chart.about,
        said=f"{caption}. Line chart of {y} over {chart.x}. Last values: {_ends(bands)}.",
        kind=kind,
        names=tuple(band.name for band in bands),
        traces=[trace for found in parts for trace in found[:-1]] + [found[-1] for found in parts],  # lines on top
        layout=_layout(chart.x, y, zero=True),
        reference=next((band.name for band in bands if band.is_reference), ""),
    )


def _areas(chart: AreasChart) -> list[Plot]:
    """Both curves of each panel, all with the same axis."""
    low, high = extent([band for panel in chart.panels for band in (panel.upper, panel.lower)])
    room, plots = ROOM * (high - low), []
    for panel in chart.panels:
        caption = f"{panel.name}: {panel.text}"
        plot = _curves(chart, (panel.upper, panel.lower), kind="orders", caption=caption, y=chart.y)
        plot.layout["yaxis"]["range"] = [low - room, high + room]
        plots.append(plot)
    return plots


def _quantity(chart: SeriesChart, band: Band) -> Plot:
    """One quantity over the networks, and the one that stands beside it on an axis of its own."""
    beside, names = chart.beside, chart.names
    bands = (band, *([beside] if beside else []))
    plot = _curves(chart, bands, kind=f"quantities of {band.name}", caption=band.name, y=band.name)
    ticks = [short(name) for name in names]
    plot.layout["xaxis"] |= {"tickvals": list(range(len(names))), "ticktext": ticks, "tickangle": UPWARDS}
    plot.layout["xaxis"]["range"] = [-0.9, len(names) - 0.7]  # room for the first name
    if beside is None:
        return plot
    for trace in plot.traces:
        if trace["meta"]["series"] == beside.name:
            trace["yaxis"] = "y2"
    second = {"overlaying": "y", "side": "right", "showgrid": False, "title": {"text": literal(beside.name)}}
    return replace(plot, layout={**plot.layout, "yaxis2": second})


def _scatter(chart: ScatterChart) -> Plot:
    traces: list[Trace] = []
    for name, values in chart.points.items():
        look = {"type": "scatter", "mode": "markers", "name": short(name)}
        where = "%{x:.3~g}, %{y:.3~g}"
        middle = values.mean(axis=0)[:, None]
        traces += [
            look | _xy(*values.T) | {"meta": {"series": name, "part": "points"}, "hovertemplate": where},
            look | _xy(*middle) | {"meta": {"series": name, "part": "mean"}, "hovertemplate": f"mean {where}"},
        ]
    means = {name: values.mean(axis=0) for name, values in chart.points.items()}
    said = "; ".join(f"{visible(name)}: {x:.3g}, {y:.3g}" for name, (x, y) in means.items())
    return Plot(
        caption=chart.caption,
        about=chart.about,
        said=f"{chart.caption}. Scatter plot of {chart.y} against {chart.x}. Means: {said}.",
        kind="methods",
        names=tuple(chart.points),
        traces=traces,
        layout=_layout(chart.x, chart.y),
    )


def _boxes(chart: BoxesChart) -> Plot:
    said = "; ".join(f"{visible(name)}: {np.median(array):.3g}" for name, array in chart.values.items())
    return Plot(
        caption=chart.caption,
        about=chart.about,
        said=f"{chart.caption}. Box plot of {chart.x}. Medians: {said}.",
        kind="methods",
        names=tuple(chart.values),
        traces=[
            {"type": "box", "x": rounded(array), "name": short(name), "boxpoints": "outliers"}
            | {"meta": {"series": name, "part": "box"}}
            for name, array in chart.values.items()
        ],
        layout=_layout(chart.x, chart.y) | {"yaxis": {"autorange": "reversed", "automargin": True}},
    )


def _ranges(chart: RangesChart) -> Plot:
    """One trace for each group of names, so that it has one colour."""
    places = {name: number for number, name in enumerate(chart.values)}
    traces: list[Trace] = []
    for group in dict.fromkeys(chart.groups.values()):
        rows = {name: chart.values[name] for name in chart.values if chart.groups[name] == group}
        bounds = np.array(list(rows.values()))
        traces.append(
            {"type": "scatter", "mode": "markers", "name": group, "meta": {"series": group, "part": "range"}}
            | {"x": rounded(bounds[:, 0]), "y": [places[name] for name in rows]}
            | {"error_x": {"type": "data", "symmetric": False, "thickness": 1.5, "width": 0}}
            | {"text": [visible(name) for name in rows], "hovertemplate": "%{text}: %{x:.3~g}"}
        )
        traces[-1]["error_x"] |= {
            "array": rounded(bounds[:, 2] - bounds[:, 0]),
            "arrayminus": rounded(bounds[:, 0] - bounds[:, 1]),
        }
    said = "; ".join(f"{visible(name)}: {mean:.3g}" for name, (mean, _, _) in chart.values.items())
    layout = _layout(chart.x, "")
    layout["xaxis"]["zeroline"] = True
    layout["yaxis"] |= {"tickvals": list(places.values()), "ticktext": [short(name) for name in places]}
    layout["yaxis"] |= {"range": [len(places) - 0.5, -0.5], "zeroline": False}
    return Plot(
        caption=chart.caption,
        about=chart.about,
        said=f"{chart.caption}. Means of {chart.x} with 95 % intervals. {said}.",
        kind="assay",
        names=tuple(dict.fromkeys(chart.groups.values())),
        traces=traces,
        layout=layout,
    )


def _band_traces(band: Band) -> list[Trace]:
    known = np.isfinite(band.middle)
    steps, middle = band.steps[known], band.middle[known]
    low, high = band.low[known], band.high[known]
    shared: Trace = {"type": "scatter", "name": short(band.name)}
    line = shared | _xy(steps, middle)
    line |= {"mode": "lines" if len(steps) > 12 else "lines+markers", "meta": {"series": band.name, "part": "line"}}
    line["hovertemplate"] = "%{y:.3~g}"
    sure = np.isfinite(low) & np.isfinite(high)
    if not sure.any():
        return [line]
    line["customdata"] = [rounded(pair) for pair in np.stack([low, high], axis=1)]
    line["hovertemplate"] = "%{y:.3~g} [%{customdata[0]:.3~g}, %{customdata[1]:.3~g}]"
    there, back = steps[sure], steps[sure][::-1]
    outline = _xy(np.concatenate([there, back]), np.concatenate([high[sure], low[sure][::-1]]))
    area = {"mode": "lines", "fill": "toself", "hoverinfo": "skip", "meta": {"series": band.name, "part": "band"}}
    return [shared | outline | area, line]


def _layout(x: str, y: str, *, zero: bool = False) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": literal(x)}, "automargin": True, "zeroline": False},
        "yaxis": {"title": {"text": literal(y)}, "automargin": True, "zeroline": zero},
        "hovermode": "x unified" if zero else "closest",
    }


def _ends(bands: Sequence[Band]) -> str:
    def last(band: Band) -> str:
        known = band.middle[np.isfinite(band.middle)]
        return f"{known[-1]:.3g}" if len(known) else "none"

    return "; ".join(f"{visible(band.name)}: {last(band)}" for band in bands)


def _xy(x: np.ndarray, y: np.ndarray) -> Trace:
    return {"x": rounded(x), "y": rounded(y)}


def rounded(values: np.ndarray) -> list[float | None]:
    """Numbers for JSON, which knows no NaN."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=float)]


PLOTS: dict[type[Chart], Callable[[Any], list[Plot]]] = {
    CurvesChart: _single,
    AreasChart: _areas,
    SeriesChart: lambda chart: [_quantity(chart, band) for band in chart.bands],
    ScatterChart: lambda chart: [_scatter(chart)],
    BoxesChart: lambda chart: [_boxes(chart)],
    RangesChart: lambda chart: [_ranges(chart)],
}
