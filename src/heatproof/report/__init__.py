"""What is said and drawn of results (``studies``): words, tables, charts, figures, and the page that holds them."""

from typing import TYPE_CHECKING

from heatproof.lazily import lazily

if TYPE_CHECKING:
    from heatproof.report.areas import areas_figure
    from heatproof.report.charts import Band, Panel
    from heatproof.report.curves import curves_figure, draw_curves
    from heatproof.report.distributions import boxes_figure, scatter_figure
    from heatproof.report.figures import figure_bytes, figure_of, save_figure
    from heatproof.report.gallery import gallery_figure, heatmap_figure, heatmap_rgb, pictures_figure
    from heatproof.report.page import render_page, write_page
    from heatproof.report.series import series_figure
    from heatproof.report.tables import Table
    from heatproof.wording import amount, counted, duration, memory

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
    "figure_of",
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
    "areas": ("areas_figure",),
    "charts": ("Band", "Panel"),
    "curves": ("curves_figure", "draw_curves"),
    "distributions": ("boxes_figure", "scatter_figure"),
    "figures": ("figure_bytes", "figure_of", "save_figure"),
    "gallery": ("gallery_figure", "heatmap_figure", "heatmap_rgb", "pictures_figure"),
    "page": ("render_page", "write_page"),
    "series": ("series_figure",),
    "tables": ("Table",),
}
_HOMES = {name: f"heatproof.report.{module}" for module, names in _MODULES.items() for name in names}
_HOMES |= dict.fromkeys(("amount", "counted", "duration", "memory"), "heatproof.wording")

__getattr__ = lazily(__name__, _HOMES)  # tables and words need no matplotlib
