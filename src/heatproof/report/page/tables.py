"""Tables of the page: sorted by what their cells mean, copied as Markdown, LaTeX and CSV in the order one sees."""

from typing import Any

from markupsafe import Markup

from heatproof.report.page.texts import visible
from heatproof.report.tables import Table

MARKDOWN_HEAD, LATEX_HEAD = 2, 4  # lines before the first row


def table_html(table: Table, caption: str) -> Markup:
    """The table, every text of it escaped."""
    return Markup(visible(table.to_html(caption)))


def copies(table: Table) -> dict[str, dict[str, Any]]:
    r"""Each form of a table in pieces: head, one text for each row, tail.

    >>> copies(Table(("p",), ((0.5,), (0.25,))))["CSV"]
    {'head': 'p\n', 'rows': ['0.5\n', '0.25\n'], 'tail': ''}
    """
    head = Table(table.columns, ()).to_csv()
    return {
        "Markdown": _lines(table.to_markdown(), MARKDOWN_HEAD, len(table.rows)),
        "LaTeX": _lines(table.to_latex(), LATEX_HEAD, len(table.rows)),
        "CSV": {
            "head": head,
            "rows": [Table(table.columns, (row,)).to_csv()[len(head) :] for row in table.rows],
            "tail": "",
        },
    }


def _lines(text: str, heads: int, rows: int) -> dict[str, Any]:
    """A text of so many lines before its rows, and one line for each row."""
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")]
    return {
        "head": "".join(lines[:heads]),
        "rows": lines[heads : heads + rows],
        "tail": "".join(lines[heads + rows :]),
    }
