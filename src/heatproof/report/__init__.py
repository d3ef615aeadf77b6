"""Draws plain data: curves, heatmaps, tables, and the page that holds them. It knows no studies and no networks."""

from heatproof.report.areas import Panel, areas_figure
from heatproof.report.curves import Band, curves_figure
from heatproof.report.distributions import boxes_figure, scatter_figure
from heatproof.report.figures import figure_bytes, save_figure
from heatproof.report.gallery import gallery_figure, heatmap_figure, heatmap_rgb, pictures_figure
from heatproof.report.page import render_page, write_page
from heatproof.report.quantities import amount, counted, duration, memory
from heatproof.report.series import series_figure
from heatproof.report.tables import Table

__all__ = [
    "Band",
    "Panel",
    "Table",
    "amount",
    "areas_figure",
    "boxes_figure",
    "counted",
    "curves_figure",
    "duration",
    "figure_bytes",
    "gallery_figure",
    "heatmap_figure",
    "heatmap_rgb",
    "memory",
    "pictures_figure",
    "render_page",
    "save_figure",
    "scatter_figure",
    "series_figure",
    "write_page",
]
