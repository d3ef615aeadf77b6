"""One HTML file that holds a whole report, works by itself, and loads nothing."""

from heatproof.report.page.charts import Chart, Words, boxes_chart, curves_chart, scatter_chart, series_chart
from heatproof.report.page.page import Page, Section, render_page, write_page
from heatproof.report.page.walks import Shown, Walk

__all__ = [
    "Chart",
    "Page",
    "Section",
    "Shown",
    "Walk",
    "Words",
    "boxes_chart",
    "curves_chart",
    "render_page",
    "scatter_chart",
    "series_chart",
    "write_page",
]
