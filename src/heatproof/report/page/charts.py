"""Plain arrays as charts for Plotly; colours come in the browser, which knows whether it is dark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from heatproof.report.curves import Band
from heatproof.report.page.texts import literal, short, visible

UPWARDS = -30  # degrees: names of steps end below their points, and the last one stays inside
DIGITS = 6  # significant ones of what is drawn
Trace = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A chart of some series, each of which has one colour wherever it appears.

    Attributes:
        caption: above it.
        about: below it, for those who want to know how to read it.
        said: what a screen reader says of it.
        kind: what its series are: charts of one kind are filtered together, and share colours.
        names: of its series, in the order of their colours; that of the reference is in ``reference``.
        traces: for Plotly, without colours; ``meta.series`` is the name.
        layout: for Plotly, without colours.
        static: the same for paper, and for browsers without scripts.
        reference: the series that is grey and dashed.
    """

    caption: str
    about: str
    said: str
    kind: str
    names: tuple[str, ...]
    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    static: Figure | None
    reference: str = ""


@dataclass(frozen=True)
class Words:
    """What stands around a chart.

    Attributes:
        caption: above it.
        about: below it.
        x: below its axis.
        y: beside its axis, with the unit.
    """

    caption: str
    x: str
    y: str
    about: str = ""


def curves_chart(
    bands: Sequence[Band],
    words: Words,
    *,
    kind: str = "methods",
    static: Figure | None = None,
    limits: tuple[float, float] | None = None,
    ticks: Sequence[str] = (),
) -> Chart:
    """Curves with their 95 % intervals.

    Args:
        bands: the curves; one keeps its colour as long as it keeps its place in this sequence.
        words: what stands around it.
        kind: what the curves are of.
        static: the same as a figure.
        limits: of the vertical axis, if it shares them with other charts.
        ticks: names of the steps, where they have some.

    >>> band = Band("random", np.zeros(3), np.zeros(3), np.ones(3), is_reference=True)
    >>> chart = curves_chart([band], Words("AOPC", "steps", "logit"))
    >>> [trace["meta"] for trace in chart.traces]
    [{'series': 'random', 'part': 'band'}, {'series': 'random', 'part': 'line'}]
    """
    parts = [_band_traces(band) for band in bands]
    traces = [trace for found in parts for trace in found[:-1]] + [found[-1] for found in parts]  # bands below lines
    layout = _layout(words, zero=True)
    if limits:
        layout["yaxis"]["range"] = list(limits)
    if ticks:
        names = [short(tick) for tick in ticks]
        layout["xaxis"] |= {"tickvals": list(range(len(ticks))), "ticktext": names, "tickangle": UPWARDS}
        layout["xaxis"]["range"] = [-0.9, len(ticks) - 0.7]  # room for the first name
    return Chart(
        caption=words.caption,
        about=words.about,
        said=f"{words.caption}. Line chart of {words.y} over {words.x}. Last values: {_ends(bands)}.",
        kind=kind,
        names=tuple(band.name for band in bands),
        traces=traces,
        layout=layout,
        static=static,
        reference=next((band.name for band in bands if band.is_reference), ""),
    )


def series_chart(
    band: Band, names: Sequence[str], words: Words, *, beside: Band | None = None, static: Figure | None = None
) -> Chart:
    """One quantity over named networks, and another one beside it on an axis of its own."""
    chart = curves_chart(
        [band, *([beside] if beside else [])], words, kind=f"quantities of {band.name}", static=static, ticks=names
    )
    if beside:
        for trace in chart.traces:
            if trace["meta"]["series"] == beside.name:
                trace["yaxis"] = "y2"
        title = {"text": literal(beside.name)}
        layout = dict(chart.layout) | {
            "yaxis2": {"overlaying": "y", "side": "right", "showgrid": False, "title": title}
        }
        return replace(chart, layout=layout)
    return chart


def scatter_chart(points: Mapping[str, np.ndarray], words: Words, *, static: Figure | None = None) -> Chart:
    """One point per image (N, 2) and method, and a large one for the mean of each method."""
    traces: list[Trace] = []
    for name, values in points.items():
        middle = values.mean(axis=0)
        look = {"type": "scatter", "mode": "markers", "name": short(name)}
        where = "%{x:.3~g}, %{y:.3~g}"
        traces += [
            look | _xy(*values.T) | {"meta": {"series": name, "part": "points"}, "hovertemplate": where},
            look | _xy(*middle[:, None]) | {"meta": {"series": name, "part": "mean"}, "hovertemplate": f"mean {where}"},
        ]
    said = "; ".join(
        f"{visible(name)}: {values[:, 0].mean():.3g}, {values[:, 1].mean():.3g}" for name, values in points.items()
    )
    return Chart(
        caption=words.caption,
        about=words.about,
        said=f"{words.caption}. Scatter plot of {words.y} against {words.x}. Means: {said}.",
        kind="methods",
        names=tuple(points),
        traces=traces,
        layout=_layout(words) | {"hovermode": "closest"},
        static=static,
    )


def boxes_chart(values: Mapping[str, np.ndarray], words: Words, *, static: Figure | None = None) -> Chart:
    """One box per method: median, quartiles, the last values within 1.5 box lengths, and those beyond as points."""
    traces = [
        {
            "type": "box",
            "x": rounded(array),
            "name": short(name),
            "boxpoints": "outliers",
            "meta": {"series": name, "part": "box"},
        }
        for name, array in values.items()
    ]
    said = "; ".join(f"{visible(name)}: {np.median(array):.3g}" for name, array in values.items())
    layout = _layout(words) | {"hovermode": "closest"}
    layout["yaxis"] = {"autorange": "reversed", "automargin": True}
    return Chart(
        caption=words.caption,
        about=words.about,
        said=f"{words.caption}. Box plot of {words.x}. Medians: {said}.",
        kind="methods",
        names=tuple(values),
        traces=traces,
        layout=layout,
        static=static,
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


def _layout(words: Words, *, zero: bool = False) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": literal(words.x)}, "automargin": True, "zeroline": False},
        "yaxis": {"title": {"text": literal(words.y)}, "automargin": True, "zeroline": zero},
        "hovermode": "x unified",
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
