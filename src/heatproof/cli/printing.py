"""What appears on the screen: results on the one channel, messages and progress on the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from rich.segment import Segments
from rich.table import Table as Grid

from heatproof.cli.output import output, tell
from heatproof.visible import visible

if TYPE_CHECKING:
    from heatproof.report import Table
    from heatproof.studies import Forecast
    from heatproof.studies.planning.design import Proposal
    from heatproof.studies.study import Study

WIDEST_NAME = 34  # longer names of methods are folded
FIRST_LINE, NEXT_LINE = 30.0, 60.0  # seconds until a progress line, where there is no terminal for a bar

console = Console(stderr=True, emoji=False)
screen = Console(emoji=False)


@contextmanager
def progress(unit: str) -> Iterator[Any]:
    """A bar with the time left; yields a function of how much is done, and of how much there is."""
    with _bar(unit, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def downloading(name: str) -> Iterator[Any]:
    """A progress bar for the bytes of a file."""
    with _bar(name, DownloadColumn()) as advance:
        yield advance


@contextmanager
def _bar(unit: str, count: ProgressColumn) -> Iterator[Any]:
    if output.quiet:
        yield lambda done, total: None
        return
    if not console.is_terminal:
        yield Lines(unit)
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), count, TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(visible(unit, ""), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@dataclass
class Lines:
    """A line of progress now and then, for logs.

    >>> seconds = iter([0.0, 10.0, 40.0, 41.0])
    >>> advance = Lines("images", clock=lambda: next(seconds), write=print)
    >>> for done in (10, 400, 410):
    ...     advance(done, 1000)
    images: 400 of 1,000, 40 s
    """

    unit: str
    clock: Callable[[], float] = time.monotonic
    write: Callable[[str], None] = field(default=lambda line: message(line))

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._due = self._begun + FIRST_LINE

    def __call__(self, done: int, total: int | None) -> None:
        """Notes how much is done, and says it if it is time."""
        now = self.clock()
        if now >= self._due:
            self._due = now + NEXT_LINE
            of = f" of {total:,}" if total else ""
            self.write(f"{self.unit}: {done:,}{of}, {now - self._begun:.0f} s")


def waiting(text: str) -> AbstractContextManager[Any]:
    """Says what takes a moment, on a terminal."""
    return nullcontext() if output.quiet or not console.is_terminal else console.status(escape(visible(text)))


def say(text: str = "", style: str = "", *, as_wide: bool = False) -> None:
    """Lines of results; nothing with ``--json``. Text that is made ``as_wide`` as it must be is not wrapped."""
    if not output.as_json:
        wraps = screen.is_terminal and not as_wide
        screen.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=not wraps)


def message(text: str, style: str = "", *, as_wide: bool = False) -> None:
    """A line beside the results."""
    wraps = console.is_terminal and not as_wide
    console.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=not wraps)


def answer(code: int, stream: Any = None) -> None:  # noqa: ANN401 - a text stream, by default standard output
    """The JSON object, where one was asked for."""
    if output.as_json:
        print(output.end(code), file=stream)


def print_study(study: Study) -> None:
    """The table of a study, and its verdict."""
    tell(verdict=study.verdict)
    print_table(study.table())
    say()
    for sentence in study.verdict:
        say(sentence)
    warn(study.warnings)


def print_table(table: Table) -> None:
    """A table with its notes; in JSON, ``table`` with its columns and rows."""
    tell(table={"columns": table.columns, "rows": table.rows, "notes": table.notes})
    if output.as_json:
        return
    grid = _grid(table)
    least = sum((column.min_width or 0) + 1 for column in grid.columns)
    wide = screen.options.update(width=max(screen.width, least))  # too narrow a terminal wraps; nothing is cut off
    screen.print(Segments(screen.render(grid, wide)), crop=False, soft_wrap=True, end="")
    for note in table.notes:
        screen.print(visible(note), style="dim", markup=False, highlight=False)


def print_forecast(forecast: Forecast) -> None:
    """What a comparison will take, one thing below the other; before it, why it is made so, if that was planned."""
    tell(forecast=forecast.describe())
    if output.as_json:
        return
    if forecast.proposal:
        print_proposal(forecast.proposal)
    grid = Grid.grid(padding=(0, 2, 0, 0))
    for name, text in forecast.table().to_rows_of_text():
        grid.add_row(escape(visible(name)), escape(visible(text)))
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
        tell(warnings=[text])
        message(f"warning: {text}", style="yellow")


def skipped(pictures: Iterable[tuple[str, str]]) -> None:
    """Pictures that could not be used, each with the reason."""
    for name, reason in pictures:
        tell(skipped=[{"image": name, "reason": reason}])
        message(f"skipped {name}: {reason}", style="yellow")


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, padding=(0, 1, 0, 0))
    for column, *cells in zip(table.columns, *table.rows, strict=True):
        numbers = any(not isinstance(cell, str | None) for cell in cells)
        grid.add_column(escape(visible(column)), overflow="fold", justify="right" if numbers else "left")
    rows = table.to_rows_of_text()
    for column, *texts in zip(grid.columns, table.columns, *rows, strict=True):
        longest = max(len(visible(word)) for text in texts for word in text.split(" "))
        column.min_width = min(WIDEST_NAME, longest)
    for row in rows:
        grid.add_row(*[escape(visible(cell)) for cell in row])
    return grid
