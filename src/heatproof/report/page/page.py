"""A report as one HTML file."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from heatproof.report.charts import AreasChart, Chart, Drawing, SeriesChart
from heatproof.report.figures import figure_bytes, figure_of
from heatproof.report.files import write_atomically
from heatproof.report.page.pictures import Picture, drawn
from heatproof.report.page.plots import Plot, plots_of
from heatproof.report.page.tables import copies, table_html
from heatproof.report.page.texts import embedded, environment, short, visible
from heatproof.report.page.walks import Shown, described
from heatproof.report.style import COLOURS, DARK_COLOURS, REFERENCE_COLOURS, SCREEN_DASHES
from heatproof.report.tables import Table

SCRIPTS = ("start.js", "series.js", "charts.js", "tables.js", "steps.js", "end.js")
POLICY = (
    "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading.

    Attributes:
        heading: of the part, in a few words.
        text: paragraphs below it.
        charts: drawn by Plotly, and by Matplotlib for paper.
        tables: by caption.
        figures: as they are.
        shown: pictures that are destroyed step by step.
        unit: of their scores.
        fallback: what stands for them on paper.
        links: addresses of other pages, from the folder of this one, by what they show.
    """

    heading: str
    text: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Sequence[Drawing] = ()
    shown: Sequence[Shown] = ()
    unit: str = ""
    fallback: Drawing | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.charts or self.tables or self.figures or self.shown or self.fallback)

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """All that Matplotlib draws of it."""
        return (*self.charts, *([self.fallback] if self.fallback else []), *self.figures)


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes:
        title: heading of the page.
        verdict: the answer in a few sentences, one paragraph each.
        about: what was done, in a few words each: one quiet line.
        warnings: what a reader must know before trusting the numbers.
        sections: charts, tables and pictures; those without content are left out.
        skipped: what was left out, and why.
        command: that makes these results again.
        reproduce: what else they depend on.
    """

    title: str
    verdict: Sequence[str] = ()
    about: Sequence[str] = ()
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    skipped: Sequence[tuple[str, str]] = ()
    command: str = ""
    reproduce: str = ""

    def figures(self) -> dict[str, Figure]:
        """All that Matplotlib draws of it, by the name of its files."""
        return {one.name: figure_of(one) for section in self.sections for one in section.drawings}


def render_page(page: Page, figures: Mapping[str, bytes] | None = None) -> str:
    """The page as HTML; every text is escaped, so a file may be called what it likes.

    It loads nothing: its policy forbids it, and allows the scripts that are in it by their hashes alone.

    Args:
        page: what it says.
        figures: the PNG files of ``page.figures()``, if they were drawn already.

    >>> html = render_page(Page("<b>", verdict=["LRP wins."]))
    >>> "<h1>&lt;b&gt;</h1>" in html, "https://" in html
    (True, False)
    """
    sections = [section for section in page.sections if section]
    if figures is None:
        figures = {name: figure_bytes(figure, "png") for name, figure in page.figures().items()}
    still = {name: drawn(content) for name, content in figures.items()}
    plots = {chart.name: plots_of(chart) for section in sections for chart in section.charts}
    scripts = [_script(), *([_plotly()] if _has_charts(sections) else [])][::-1]
    return (
        environment("heatproof.report.page", ".")
        .get_template("page.html.j2")
        .render(
            page=page,
            policy=POLICY.format(" ".join(_hash(script) for script in scripts)),
            style=Markup(_asset("page.css")),
            scripts=[Markup(script) for script in scripts],
            data=Markup(embedded(_data(sections, plots))),
            sections=[_laid_out(number, section, plots, still) for number, section in enumerate(sections)],
        )
    )


def write_page(path: Path, html: str) -> Path:
    """Writes the page whole or not at all."""
    return write_atomically(path, html.encode("utf-8"))


def _laid_out(
    number: int, section: Section, plots: Mapping[str, list[Plot]], still: Mapping[str, Picture]
) -> dict[str, Any]:
    """A section as the template wants it; of a chart of several panels, paper gets one figure."""
    panelled = [chart for chart in section.charts if isinstance(chart, AreasChart | SeriesChart)]
    fallbacks = [*panelled, *([section.fallback] if section.fallback else [])]
    return {
        "id": f"section-{number}",
        "heading": section.heading,
        "text": section.text,
        "links": {visible(what): address for what, address in section.links.items()},
        "charts": [
            (plot, None if chart in panelled else still[chart.name])
            for chart in section.charts
            for plot in plots[chart.name]
        ],
        "tables": {caption: table_html(table, visible(caption)) for caption, table in section.tables.items()},
        "figures": [(drawing.caption, still[drawing.name]) for drawing in section.figures],
        "shown": bool(section.shown),
        "fallbacks": [(drawing.caption, still[drawing.name]) for drawing in fallbacks],
    }


def _data(sections: Sequence[Section], plots: Mapping[str, list[Plot]]) -> dict[str, Any]:
    """What the scripts of the page read: charts, tables and pictures in the order in which they stand in it."""
    charts = [plot for found in plots.values() for plot in found]
    walking = [section for section in sections if section.shown]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for chart in charts:
        for name in chart.names:
            _add(kinds.setdefault(chart.kind, []), name, name == chart.reference)
    for section in walking:
        for shown in section.shown:
            for walk in shown.walks:
                _add(kinds.setdefault("methods", []), walk.name, False)
    return {
        "charts": [
            {"kind": chart.kind, "traces": chart.traces, "layout": chart.layout, "said": visible(chart.said)}
            for chart in charts
        ],
        "tables": [copies(table) for section in sections for table in section.tables.values()],
        "walks": [described(section.shown, section.unit) for section in walking],
        "kinds": kinds,
        "colours": {"light": COLOURS, "dark": DARK_COLOURS, "reference": REFERENCE_COLOURS, "dashes": SCREEN_DASHES},
    }


def _add(series: list[dict[str, Any]], name: str, reference: bool) -> None:
    """One more series of a kind, with its colour, if it is not there yet."""
    if all(one["name"] != name for one in series):
        number = sum(not one["reference"] for one in series)
        colour = -1 if reference else number % len(COLOURS)
        dash = 0 if reference else number // len(COLOURS) % len(SCREEN_DASHES)
        names = {"name": name, "shown": visible(name), "plotly": short(name)}
        series.append(names | {"reference": reference, "colour": colour, "dash": dash})


def _has_charts(sections: Sequence[Section]) -> bool:
    walks = [walk for section in sections for shown in section.shown for walk in shown.walks]
    return any(section.charts for section in sections) or any(walk.scores is not None for walk in walks)


def _script() -> str:
    body = "\n".join(_asset(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();\n'


@cache
def _plotly() -> str:
    """The charts' library, as its package brings it."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@cache
def _asset(name: str) -> str:
    return (resources.files("heatproof.report.page") / "assets" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """A script as the policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"
