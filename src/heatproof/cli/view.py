"""``heatproof view``."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from heatproof.cli.application import app
from heatproof.cli.opening import Open, open_in_browser
from heatproof.cli.output import tell
from heatproof.cli.printing import print_table, say, warn
from heatproof.options.option import Option

if TYPE_CHECKING:
    from heatproof.report import Table
    from heatproof.report.index import ListedRun
    from heatproof.runs.run_list import Run, RunList

REPORT, KINDS = "report.html", (".png", ".svg", ".csv", ".md", ".parquet")
MOST_FILES = 100  # of a run, on the page


@app.command("view")
def view_command(
    folder: Annotated[Path, Option("Where runs lie, in it or below.", positional=True, metavar="FOLDER")] = Path(),
    *,
    page: Annotated[
        Path | None, Option("Also write the list as a page; a file that is not there yet.", metavar="FILE.html")
    ] = None,
    opened: Open = False,
) -> None:
    """Which runs lie below a folder, and what did they find?

    The page links to reports, figures and tables. --open without --page writes a temporary one that only you can read.

    [bold]heatproof view[/bold]

    [bold]heatproof view runs/ --open[/bold]

    [bold]heatproof view runs/ --page runs/index.html[/bold]
    """
    from heatproof.runs.output_paths import check_new_file
    from heatproof.runs.run_list import runs_below

    found = runs_below(folder)
    if page is not None:
        page = check_new_file(page, [run.path for run in found.runs])
    tell(folder=folder, runs=[run.describe() for run in found.runs])
    warn(found.notes)
    if found.runs:
        print_table(table_of(found))
    else:
        say(f"No runs lie in or below {folder}; 'heatproof compare photos/ --out RUN' makes one")
    if page is None and not opened:
        return
    written = write_page(folder, found, page)
    tell(page=written)
    say(f"\n{written}")
    if opened:
        open_in_browser(written.as_uri())


def table_of(found: "RunList") -> "Table":
    """The runs, the newest first."""
    from heatproof.report import Table

    rows = tuple(
        (run.study, run.state, run.count, run.verdict, f"{run.date:%Y-%m-%d %H:%M}", run.name) for run in found.runs
    )
    return Table(("study", "state", "images", "verdict", "date (UTC)", "path"), rows)


def write_page(folder: Path, found: "RunList", page: Path | None) -> Path:
    """Writes the list as a page, with links relative to it; a temporary page has absolute ones."""
    from heatproof.report.index import render_index
    from heatproof.runs.output_paths import write_file

    if page is None:
        start, place = None, Path(tempfile.mkdtemp(prefix="heatproof-view-"), "index.html")
    else:
        start = Path(os.path.realpath(page.parent))
        place = start / page.name
    html = render_index(str(folder), [entry_of(run, start) for run in found.runs], found.notes)
    write_file(place, html.encode())
    return place


def entry_of(run: "Run", start: Path | None) -> "ListedRun":
    """A run as the page in the folder ``start`` shows it."""
    from heatproof.report.index import ListedRun

    links = {name: link_to(run.path / name, start) for name in files_of(run.path)}
    return ListedRun(
        name=run.path.name if run.name == "." else run.name,
        study=run.study,
        state=run.state,
        images=run.count,
        date=f"{run.date:%Y-%m-%d %H:%M} UTC",
        verdict=run.verdict,
        page=links.pop(REPORT, ""),
        files=list(links.items())[:MOST_FILES],
    )


def files_of(run: Path) -> list[str]:
    """Names of a run's report, figures and tables; links, which may lead anywhere, are left out."""
    try:
        with os.scandir(run) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:  # it went away meanwhile
        return []
    return sorted(name for name in names if name == REPORT or Path(name).suffix in KINDS)


def link_to(path: Path, start: Path | None) -> str:
    """The URL of a file, relative to the folder ``start`` where there is one.

    >>> link_to(Path("/runs/a:b/50 %.png"), Path("/runs"))
    'a%3Ab/50%20%25.png'
    >>> link_to(Path("/runs/a:b/50 %.png"), None)
    'file:///runs/a%3Ab/50%20%25.png'
    """
    return path.as_uri() if start is None else quote(os.fsencode(os.path.relpath(path, start)))
