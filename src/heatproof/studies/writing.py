"""A study's results become text, or a run directory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from torch import Tensor

from heatproof import runs
from heatproof.report import Table, save_figure, write_page


def write_run(
    path: Path,
    *,
    figures: Mapping[str, Figure],
    page: Callable[[Mapping[str, Figure]], str],
    frame: pl.DataFrame,
    heatmaps: Mapping[str, Tensor],
    names: tuple[str, ...],
    table: Table,
    reproduce: str,
    description: Mapping[str, Any],
    overwrite: bool,
) -> Path:
    """Writes scores, heatmaps, the table, figures, the page and how to make them again; all or nothing.

    Args:
        path: of the directory.
        figures: by file name.
        page: makes the HTML page, which holds the figures.
        frame: every single score.
        heatmaps: (N, H, W) by method.
        names: N names of the images.
        table: the main one.
        reproduce: how to make the results again.
        description: everything else, as JSON-able values.
        overwrite: whether an earlier run may be replaced.
    """
    with runs.whole_directory(path, overwrite=overwrite) as folder:
        frame.write_parquet(folder / "scores.parquet")
        runs.write_heatmaps(folder / "heatmaps.zarr", heatmaps, names)
        (folder / "table.md").write_text(table.to_markdown(), encoding="utf-8")
        (folder / "table.csv").write_text(table.to_csv(), encoding="utf-8")
        for name, figure in figures.items():
            save_figure(figure, folder / name)
        write_page(folder / "report.html", page(figures))
        (folder / "reproduce.md").write_text(reproduce, encoding="utf-8", errors="replace")
        runs.write_json(folder / "run.json", description)
    return path


def reproduction(command: str, seed: int, images: int, network: Mapping[str, Any]) -> str:
    """The command or code that made the results, and what else they depend on."""
    environment = runs.environment()
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    return (
        f"{command}\n\n"
        f"seed {seed}; {images} images; network {network['name']}, weights (blake2b) {network['weights_blake2b']}; "
        f"{versions}; {environment['machine']['threads']} threads on {environment['machine']['processor']}\n"
    )


def in_words(table: Table, verdict: Sequence[str], warnings: Sequence[str]) -> str:
    """What ``print`` shows of a study: the table, the verdict, and what must be known before trusting them."""
    return "\n".join([str(table), "", *verdict, *(f"warning: {text}" for text in warnings)])
