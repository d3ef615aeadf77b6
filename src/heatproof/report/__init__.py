"""Draws plain data: curves, heatmaps, tables, and the page that holds them. It knows no studies and no networks."""

from typing import TYPE_CHECKING

from heatproof.lazily import lazily

if TYPE_CHECKING:
    from heatproof.report.areas import Panel, areas_figure
    from heatproof.report.curves import Band, curves_figure, draw_curves
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
    "draw_curves",
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

_MODULES = {
    "areas": ("Panel", "areas_figure"),
    "curves": ("Band", "curves_figure", "draw_curves"),
    "distributions": ("boxes_figure", "scatter_figure"),
    "figures": ("figure_bytes", "save_figure"),
    "gallery": ("gallery_figure", "heatmap_figure", "heatmap_rgb", "pictures_figure"),
    "page": ("render_page", "write_page"),
    "quantities": ("amount", "counted", "duration", "memory"),
    "series": ("series_figure",),
    "tables": ("Table",),
}
_HOMES = {name: f"heatproof.report.{module}" for module, names in _MODULES.items() for name in names}

__getattr__ = lazily(__name__, _HOMES)  # tables and words need no matplotlib
