"""What appears on the screen: results on the one channel, messages and progress on the other."""

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid

from heatproof.report import Table
from heatproof.studies import Forecast
from heatproof.studies.planning.design import Proposal
from heatproof.studies.study import Study

WIDEST_NAME = 34  # longer names of methods are folded


console = Console(stderr=True, emoji=False)
screen = Console(emoji=False)


@contextmanager
def progress(unit: str) -> Iterator[Any]:
    """A bar with the time left; yields a function of how much is done, and of how much there is."""
    with _bar(unit, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def downloading(name: str) -> Iterator[Any]:
    """The same for the bytes of a file."""
    with _bar(name, DownloadColumn()) as advance:
        yield advance


@contextmanager
def _bar(unit: str, count: ProgressColumn) -> Iterator[Any]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(text: str = "") -> None:
    """One line of results, as it is."""
    screen.print(visible(text), markup=False, highlight=False)


def visible(text: str) -> str:
    r"""Without characters that nobody sees: a file's name must not move the cursor or turn the text round.

    >>> visible("a\x1b[31mb\u202e.png")
    'a�[31mb�.png'
    """
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join("�" if unicodedata.category(letter) in hidden and letter != "\n" else letter for letter in text)


def print_study(study: Study) -> None:
    """The table of a study, and its verdict."""
    print_table(study.table())
    say()
    for sentence in study.verdict:
        say(sentence)
    warn(study.warnings)


def print_table(table: Table) -> None:
    """A table with its notes."""
    screen.print(_grid(table))
    for note in table.notes:
        screen.print(visible(note), style="dim", markup=False, highlight=False)


def print_forecast(forecast: Forecast) -> None:
    """What a comparison will take, one thing below the other; before it, why it is made so, if that was planned."""
    if forecast.proposal:
        print_proposal(forecast.proposal)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for name, text in forecast.table().to_rows_of_text():
        grid.add_row(escape(name), escape(text))
    screen.print(grid)


def print_proposal(proposal: Proposal) -> None:
    """A design: where its uncertainty comes from, and the paper's beside it."""
    for table in (proposal.table(), proposal.designs_table()):
        print_table(table)
        say()
    for sentence in proposal.sentences:
        say(sentence)
    say()


def warn(warnings: Iterable[str]) -> None:
    """What a reader must know."""
    for text in warnings:
        console.print(f"warning: {visible(text)}", style="yellow", markup=False, highlight=False)


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, padding=(0, 1, 0, 0))
    for column, *cells in zip(table.columns, *table.rows, strict=True):
        numbers = any(not isinstance(cell, str | None) for cell in cells)
        grid.add_column(escape(visible(column)), overflow="fold", justify="right" if numbers else "left")
    rows = table.to_rows_of_text()
    grid.columns[0].min_width = min(WIDEST_NAME, max(len(row[0]) for row in rows))
    for row in rows:
        grid.add_row(*[escape(visible(cell)) for cell in row])
    return grid
