"""What all studies share: they are printed, written as a page, and saved as a run directory."""

from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import polars as pl
from matplotlib.figure import Figure

from heatproof.report import Table, figure_bytes, figure_of, render_page, write_page
from heatproof.report.markdown import fenced
from heatproof.report.page import Page
from heatproof.results.work import Work
from heatproof.runs.destination import destination
from heatproof.runs.objects import Store
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import environment, parquet_bytes, write_record
from heatproof.showing import sentences_html
from heatproof.wording import counted

FIGURE_FORMATS = ("png", "svg")
Result = TypeVar("Result", contravariant=True)


class Told(Protocol[Result]):
    """What a module of ``report.studies`` says of the result of its study."""

    def table(self, found: Result, /) -> Table:
        """The main table."""

    def verdict(self, found: Result, /) -> list[str]:
        """The answer, one sentence after the other."""

    def warnings(self, found: Result, /) -> list[str]:
        """What a reader must know before trusting the numbers, but for what is missing."""

    def page(self, found: Result, /) -> Page:
        """What a page shows; where it has no verdict, it is ``verdict``."""

    def describe(self, found: Result, /) -> dict[str, Any]:
        """What is only known of this study, without its arrays, as JSON-able values."""


class Study(ABC):
    """The result of a study, which prints, draws and saves itself.

    Attributes:
        code: that makes the results where no command did.
        told: says what was found.
    """

    code: ClassVar[str]
    told: Told[Any]

    if TYPE_CHECKING:  # results have them: as fields, which a property here would hide

        @property
        def names(self) -> tuple[str, ...]:
            """(N) names of the images."""

        @property
        def skipped(self) -> tuple[tuple[str, str], ...]:
            """Names of pictures that could not be used, each with the reason."""

        @property
        def set_aside(self) -> tuple[str, ...]:
            """Errors of shards that could not be computed."""

        @property
        def work(self) -> Work | None:
            """How much was evaluated, how long it took, and by which engine; none where nothing was removed."""

    def table(self) -> Table:
        """The main table."""
        return self.told.table(self)

    @property
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence after the other."""
        return self.told.verdict(self)

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        said = self.told.warnings(self)
        if self.set_aside:
            shards, first = counted(len(self.set_aside), "shard"), self.set_aside[0].splitlines()[0]
            said.append(f"{shards} could not be computed (failed/); the first: {first}")
        if self.skipped:
            said.append(f"{len(self.skipped)} of {len(self.skipped) + len(self.names)} pictures could not be used")
        return said

    def page(self) -> Page:
        """What the page shows, as plain data."""
        page = self.told.page(self)
        return replace(
            page, verdict=page.verdict or self.verdict, warnings=self.warnings, skipped=self.skipped, command=self.code
        )

    def figures(self) -> dict[str, Figure]:
        """The figures of the page, by file name."""
        return self.page().figures()

    def describe(self) -> dict[str, Any]:
        """Everything about the run, without its arrays, as JSON-able values."""
        return {
            "schema": SCHEMA,
            **self.told.describe(self),
            "skipped": [{"image": name, "reason": reason} for name, reason in self.skipped],
            "complete": not self.skipped and not self.set_aside,
            "verdict": self.verdict,
            "warnings": self.warnings,
            **environment(),
        }

    def report(self, path: str | Path, *, reproduce: str = "") -> Path:
        """Writes one self-contained HTML page."""
        page = self.page()
        return write_page(Path(path), render_page(replace(page, command=reproduce or page.command)))

    def save(self, path: str | Path, *, reproduce: str = "", overwrite: bool = False) -> Path:
        """Writes the run directory: every value, heatmaps, the table, figures, the page, and how to reproduce it.

        It appears complete or not at all. ``reproduce`` is the command or code that made it; with ``overwrite`` an
        earlier result is replaced, unless something else lies there too.
        """
        with destination(path, overwrite=overwrite) as store:
            self.keep(store)
            self.write_results(store, reproduce)
        return Path(path)

    @abstractmethod
    def frame(self) -> pl.DataFrame:
        """Every single value."""

    def frames(self) -> dict[str, pl.DataFrame]:
        """What a run has of it as tables, beside what it keeps, by file name."""
        return {"scores": self.frame()}

    @abstractmethod
    def keep(self, store: Store) -> None:
        """Writes what all else follows from, as a run does."""

    def write_results(self, store: Store, reproduce: str) -> None:
        """Writes all that follows from what a run keeps: tables, figures, the page, and the record."""
        for name, content in self.derived(reproduce=reproduce).items():
            store.put(name, content)
        begun, described = read_content(store), self.describe()
        if "audit" in described:
            described["audit"] = described["audit"] or begun.get("audit")
        write_record(store, begun | described | {"reproduce": reproduce})

    def derived(self, *, reproduce: str = "") -> dict[str, bytes]:
        """Files that follow from the result, as bytes: frames, table, figures, page, and how to reproduce it."""
        page, table, command = self.page(), self.table(), reproduce or self.code
        drawn = {
            f"{name}.{form}": figure_bytes(figure, form)
            for name, figure in page.figures().items()
            for form in FIGURE_FORMATS
        }
        still = {name.removesuffix(".png"): content for name, content in drawn.items() if name.endswith(".png")}
        frames = {f"{name}.parquet": parquet_bytes(frame) for name, frame in self.frames().items()}
        texts = {
            "table.md": table.to_markdown(),
            "table.csv": table.to_csv(),
            "reproduce.md": f"{fenced(command)}\n\n{fenced(page.reproduce)}\n",
            "report.html": render_page(replace(page, command=command), still),
        }
        return frames | {name: text.encode("utf-8", errors="replace") for name, text in texts.items()} | drawn

    def __str__(self) -> str:
        warnings = [f"warning: {text}" for text in self.warnings]
        return "\n".join([str(self.table()), "", *self.verdict, *warnings])

    def _repr_html_(self) -> str:
        warnings = [f"warning: {text}" for text in self.warnings]
        first = next(one for section in self.page().sections for one in section.drawings)
        picture = b64encode(figure_bytes(figure_of(first), "png")).decode("ascii")
        return (
            f"{self.table()._repr_html_()}{sentences_html([*self.verdict, *warnings])}"
            f'<img style="max-width: 100%" alt="the main figure" src="data:image/png;base64,{picture}">'
        )
