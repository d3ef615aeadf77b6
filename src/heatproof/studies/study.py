"""What all studies share: they are printed, written as a page, and saved as a run directory."""

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from torch import Tensor

from heatproof import runs
from heatproof.report import Table, figure_bytes, write_page
from heatproof.showing import sentences_html

FIGURE_FORMATS = ("png", "svg")


class Study(ABC):
    """The result of a study, which prints, draws and saves itself."""

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

    def _frames(self) -> dict[str, pl.DataFrame]:
        """What is saved of it beside the scores, by file name."""
        return {}

    @abstractmethod
    def _saved_heatmaps(self) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
        """(n, H, W) by name, and the names of their n images."""

    @abstractmethod
    def _page(self, figures: Mapping[str, Figure], reproduce: str) -> str:
        """The HTML page."""

    @abstractmethod
    def _reproduce_text(self, command: str) -> str:
        """How to make the results again."""

    def report(self, path: str | Path, *, reproduce: str = "") -> Path:
        """Writes one self-contained HTML page."""
        return write_page(Path(path), self._page(self.figures(), reproduce))

    def save(self, path: str | Path, *, reproduce: str = "", overwrite: bool = False) -> Path:
        """Writes the run directory: every value, heatmaps, the table, figures, the page, and how to reproduce it.

        It appears whole or not at all. ``reproduce`` is the command or code that made it.
        """
        with runs.whole_directory(Path(path), overwrite=overwrite) as folder:
            for name, frame in ({"scores": self.frame()} | self._frames()).items():
                frame.write_parquet(folder / f"{name}.parquet")
            runs.write_heatmaps(folder / "heatmaps.zarr", *self._saved_heatmaps())
            for name, content in self.files(reproduce=reproduce).items():
                (folder / name).write_bytes(content)
            (folder / "run.json").write_bytes(runs.json_bytes(self.describe() | {"reproduce": reproduce}))
        return Path(path)

    def derived(self, *, reproduce: str = "") -> dict[str, bytes]:
        """All that follows from what a run stores: ``files``, and frames other than the scores."""
        tables = {f"{name}.parquet": runs.parquet_bytes(frame) for name, frame in self._frames().items()}
        return tables | self.files(reproduce=reproduce)

    def files(self, *, reproduce: str = "") -> dict[str, bytes]:
        """What is made for reading: the table, figures, the page, and how to reproduce it, by file name."""
        figures, table = self.figures(), self.table()
        texts = {
            "table.md": table.to_markdown(),
            "table.csv": table.to_csv(),
            "reproduce.md": self._reproduce_text(reproduce),
            "report.html": self._page(figures, reproduce),
        }
        drawn = {
            f"{name}.{form}": figure_bytes(figure, form) for name, figure in figures.items() for form in FIGURE_FORMATS
        }
        return {name: text.encode("utf-8", errors="replace") for name, text in texts.items()} | drawn

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


def reproduction(command: str, seed: int, images: int, network: Mapping[str, Any]) -> str:
    """The command or code that made the results, and what else they depend on."""
    environment = runs.environment()
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return (
        f"{command}\n\n"
        f"seed {seed}; {images} images; network {network['name']}, weights (blake2b) {network['weights_blake2b']}; "
        f"{versions}; {environment['machine']['threads']} threads on {environment['machine']['processor']}\n"
    )
