"""One HTML file that holds a whole report, works by itself, and loads nothing."""

from heatproof.report.page.page import Page, Section, render_page, write_page
from heatproof.report.page.walks import Shown, Walk

__all__ = ["Page", "Section", "Shown", "Walk", "render_page", "write_page"]
