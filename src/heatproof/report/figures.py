"""Figures and the files they become."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from heatproof.errors import InputError
from heatproof.report.areas import areas_figure
from heatproof.report.charts import (
    AreasChart,
    BoxesChart,
    CurvesChart,
    Drawing,
    Gallery,
    PictureRows,
    RangesChart,
    ScatterChart,
    SeriesChart,
)
from heatproof.report.curves import curves_figure
from heatproof.report.distributions import boxes_figure, ranges_figure, scatter_figure
from heatproof.report.files import write_atomically
from heatproof.report.gallery import gallery_figure, pictures_figure
from heatproof.report.series import series_figure
from heatproof.report.style import styled

DPI = 160

# A figure without dates and versions is the same file whenever it is drawn.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


DRAWS: dict[type[Drawing], Callable[[Any], Figure]] = {
    CurvesChart: curves_figure,
    AreasChart: areas_figure,
    SeriesChart: series_figure,
    ScatterChart: scatter_figure,
    BoxesChart: boxes_figure,
    RangesChart: ranges_figure,
    Gallery: lambda one: gallery_figure(one.images, one.heatmaps, one.captions),
    PictureRows: lambda one: pictures_figure(one.pictures, one.captions, title=one.title),
}


def figure_of(drawing: Drawing) -> Figure:
    """What is described, drawn by Matplotlib."""
    return DRAWS[type(drawing)](drawing)


@styled()
def figure_bytes(figure: Figure, format: str) -> bytes:
    r"""The file that a figure is, as png, svg or pdf; the same figure gives the same bytes.

    >>> figure_bytes(Figure((1, 1)), "png")[:4]
    b'\x89PNG'
    """
    if format not in METADATA:
        raise InputError(f"unknown figure format {format!r}; known: {', '.join(METADATA)}")
    file = io.BytesIO()
    figure.savefig(file, format=format, dpi=DPI, metadata=METADATA[format])
    return file.getvalue()


def save_figure(figure: Figure, path_without_suffix: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Writes ``curves`` as ``curves.png`` and ``curves.svg``; on failure nothing half-written is left."""
    drawn = {format: figure_bytes(figure, format) for format in formats}
    # with_name and not with_suffix: ``lrp-epsilon[epsilon=0.01]`` has no suffix to replace
    paths = {format: path_without_suffix.with_name(f"{path_without_suffix.name}.{format}") for format in drawn}
    return [write_atomically(paths[format], content) for format, content in drawn.items()]
