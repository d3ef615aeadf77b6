"""The page that lists runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

from heatproof.report.page.texts import environment

STYLE = ("page", "assets", "page.css")  # the same as a report's


@dataclass(frozen=True)
class ListedRun:
    """A run in the list.

    Attributes:
        name: of the run.
        study: which one it is.
        state: how far it is, in a word.
        images: how many, in words.
        date: in words.
        verdict: a sentence.
        page: where its report is; empty if it has none.
        files: names of its other files, and where they are.
    """

    name: str
    study: str
    state: str
    images: str
    date: str
    verdict: str
    page: str
    files: Sequence[tuple[str, str]]


def render_index(folder: str, entries: Sequence[ListedRun], notes: Sequence[str] = ()) -> str:
    """The list as HTML, without scripts; every text is escaped.

    >>> "<h1>Runs below &lt;here&gt;</h1>" in render_index("<here>", [])
    True
    """
    style = resources.files("heatproof.report").joinpath(*STYLE).read_text(encoding="utf-8")
    return (
        environment("heatproof.report", "templates")
        .get_template("index.html.j2")
        .render(folder=folder, entries=entries, notes=notes, style=Markup(style))
    )
