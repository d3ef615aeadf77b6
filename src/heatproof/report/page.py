"""One HTML file that holds a whole report and loads nothing."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from heatproof.report.figures import figure_bytes
from heatproof.report.files import write_atomically
from heatproof.report.tables import Table

CSS_PIXELS = 96  # per inch


def render_page(
    *,
    title: str,
    verdict: Sequence[str],
    tables: Mapping[str, Table],
    figures: Mapping[str, Figure],
    warnings: Sequence[str],
    reproduce: str,
    skipped: Sequence[tuple[str, str]] = (),
) -> str:
    """The page as HTML; every text is escaped, so a file may be called what it likes.

    Args:
        title: heading of the page.
        verdict: the answer in a few sentences, one paragraph each.
        tables: by caption.
        figures: by caption, which is also what a screen reader reads.
        warnings: what a reader must know before trusting the numbers.
        reproduce: the command or code that makes these results again.
        skipped: what was left out, and why.

    >>> page = render_page(title="<b>", verdict=["LRP wins."], tables={}, figures={}, warnings=[], reproduce="")
    >>> "<h1>&lt;b&gt;</h1>" in page
    True
    """
    environment = Environment(
        loader=PackageLoader("heatproof.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        verdict=verdict,
        tables={caption: Markup(table.to_html(caption)) for caption, table in tables.items()},
        figures={caption: _picture(figure) for caption, figure in figures.items()},
        warnings=warnings,
        reproduce=reproduce,
        skipped=skipped,
    )


def write_page(path: Path, html: str) -> Path:
    """Writes the page whole or not at all."""
    return write_atomically(path, html.encode("utf-8", errors="replace"))  # file names may hold undecodable bytes


def _picture(figure: Figure) -> dict[str, str | int]:
    """A figure as an image inside the page, with its size in CSS pixels."""
    width, height = (round(float(inches) * CSS_PIXELS) for inches in figure.get_size_inches())
    data = base64.b64encode(figure_bytes(figure, "png")).decode("ascii")
    return {"source": f"data:image/png;base64,{data}", "width": width, "height": height}
