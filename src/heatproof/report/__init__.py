"""What is said and drawn of results (``studies``): words, tables, charts, figures, and the page that holds them."""

from typing import TYPE_CHECKING

from heatproof.lazily import lazily

if TYPE_CHECKING:
    from heatproof.report.figures import figure_bytes, figure_of, save_figure
    from heatproof.report.gallery import gallery_figure, heatmap_figure, heatmap_rgb
    from heatproof.report.page import render_page, write_page
    from heatproof.report.tables import Table
    from heatproof.wording import amount, counted, duration, memory

__all__ = [
    "Table",
    "amount",
    "counted",
    "duration",
    "figure_bytes",
    "figure_of",
    "gallery_figure",
    "heatmap_figure",
    "heatmap_rgb",
    "memory",
    "render_page",
    "save_figure",
    "write_page",
]

_HOMES = {"Table": "heatproof.report.tables"}
_HOMES |= dict.fromkeys(("amount", "counted", "duration", "memory"), "heatproof.wording")
_HOMES |= dict.fromkeys(("figure_bytes", "figure_of", "save_figure"), "heatproof.report.figures")
_HOMES |= dict.fromkeys(("gallery_figure", "heatmap_figure", "heatmap_rgb"), "heatproof.report.gallery")
_HOMES |= dict.fromkeys(("render_page", "write_page"), "heatproof.report.page")

__getattr__ = lazily(__name__, _HOMES)  # tables and words need no matplotlib
