"""What all studies share: they are printed, written as a page, and saved as a run directory."""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
from matplotlib.figure import Figure

from heatproof.report import Table, counted, figure_bytes, render_page, write_page
from heatproof.report.markdown import fenced
from heatproof.report.page import Page
from heatproof.runs.destination import destination
from heatproof.runs.objects import Store
from heatproof.runs.serialization import environment, parquet_bytes
from heatproof.showing import sentences_html
from heatproof.studies.work import Work

FIGURE_FORMATS = ("png", "svg")


class Study(ABC):
    """The result of a study, which prints, draws and saves itself.

    Attributes:
        code: that makes the results where no command did.
    """

    code: ClassVar[str]

    if TYPE_CHECKING:  # dataclasses take a property that they inherit for a default

        @property
        def names(self) -> tuple[str, ...]:
            """(N) of the images."""

        @property
        def skipped(self) -> tuple[tuple[str, str], ...]:
            """Names of pictures that could not be used, each with the reason."""

        @property
        def set_aside(self) -> tuple[str, ...]:
            """Errors of shards that could not be computed."""

        @property
        def work(self) -> Work | None:
            """How much was evaluated, how long it took, and by which engine; none where nothing was removed."""

    @abstractmethod
    def table(self) -> Table:
        """The main table."""

    @property
    @abstractmethod
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence after the other."""

    @property
    @abstractmethod
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""

    @abstractmethod
    def frame(self) -> pl.DataFrame:
        """Every single value."""

    @abstractmethod
    def figures(self) -> dict[str, Figure]:
        """The figures, by file name."""

    @abstractmethod
    def main_figure(self) -> Figure:
        """The figure that shows most, which a notebook shows below the table."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Everything about the run but its arrays, as JSON-able values."""

    def left_out(self) -> list[str]:
        """Warnings of what is missing."""
        found = []
        if self.set_aside:
            first = self.set_aside[0].splitlines()[0]
            found.append(f"{counted(len(self.set_aside), 'shard')} could not be computed (failed/); the first: {first}")
        if self.skipped:
            found.append(f"{len(self.skipped)} of {len(self.skipped) + len(self.names)} pictures could not be used")
        return found

    def _frames(self) -> dict[str, pl.DataFrame]:
        """What is saved of it beside the scores, by file name."""
        return {}

    @abstractmethod
    def _page(self, figures: Mapping[str, Figure]) -> Page:
        """What the page says beside warnings, what was skipped, how to make it again, and by default the verdict."""

    @abstractmethod
    def _depends_on(self) -> str:
        """What the results depend on beside the command."""

    def report(self, path: str | Path, *, reproduce: str = "") -> Path:
        """Writes one self-contained HTML page."""
        return write_page(Path(path), self._html(self.figures(), reproduce))

    def save(self, path: str | Path, *, reproduce: str = "", overwrite: bool = False) -> Path:
        """Writes the run directory: every value, heatmaps, the table, figures, the page, and how to reproduce it.

        It appears complete or not at all. ``reproduce`` is the command or code that made it; with ``overwrite`` an
        earlier result is replaced, unless something else lies there too.
        """
        with destination(path, overwrite=overwrite) as store:
            self.write(store, reproduce=reproduce)
        return Path(path)

    @abstractmethod
    def write(self, store: Store, *, reproduce: str = "") -> None:
        """Writes all of it into a store."""

    def derived(self, *, reproduce: str = "") -> dict[str, bytes]:
        """All that follows from what a run stores: ``files``, and frames other than the scores."""
        tables = {f"{name}.parquet": parquet_bytes(frame) for name, frame in self._frames().items()}
        return tables | self.files(reproduce=reproduce)

    def files(self, *, reproduce: str = "") -> dict[str, bytes]:
        """What is made for reading: the table, figures, the page, and how to reproduce it, by file name."""
        figures, table = self.figures(), self.table()
        texts = {
            "table.md": table.to_markdown(),
            "table.csv": table.to_csv(),
            "reproduce.md": f"{fenced(reproduce or self.code)}\n\n{fenced(self._depends_on())}\n",
            "report.html": self._html(figures, reproduce),
        }
        drawn = {
            f"{name}.{form}": figure_bytes(figure, form) for name, figure in figures.items() for form in FIGURE_FORMATS
        }
        return {name: text.encode("utf-8", errors="replace") for name, text in texts.items()} | drawn

    def _html(self, figures: Mapping[str, Figure], command: str) -> str:
        page = self._page(figures)
        page = replace(
            page,
            verdict=page.verdict or self.verdict,
            warnings=self.warnings,
            skipped=self.skipped,
            command=command or self.code,
            reproduce=self._depends_on(),
        )
        return render_page(page)

    def __str__(self) -> str:
        warnings = [f"warning: {text}" for text in self.warnings]
        return "\n".join([str(self.table()), "", *self.verdict, *warnings])

    def _repr_html_(self) -> str:
        warnings = [f"warning: {text}" for text in self.warnings]
        picture = b64encode(figure_bytes(self.main_figure(), "png")).decode("ascii")
        return (
            f"{self.table()._repr_html_()}{sentences_html([*self.verdict, *warnings])}"
            f'<img style="max-width: 100%" alt="the main figure" src="data:image/png;base64,{picture}">'
        )


def depends_on(seed: int, images: int, network: Mapping[str, Any]) -> str:
    """What results depend on beside the command."""
    about = environment()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"seed {seed}; {images} images; network {network['name']}, weights (blake2b) {network['weights_blake2b']}; "
        f"{versions}; {about['machine']['threads']} threads on {about['machine']['processor']}"
    )
