"""Tables of numbers and names, for terminals, papers, spreadsheets and notebooks."""

import csv
import html
import io
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from heatproof.errors import InputError

Cell = str | float | int | None

NOTHING = "\N{EN DASH}"
LATEX = {sign: rf"\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "−": "$-$",
    "–": "--",
}
# Where a spreadsheet may begin a cell that it would run. Quotes do not help: many countries' split at semicolons.
FORMULA = re.compile(r"""(\A|[;\t\n])(?=[\s"']*[=+\-@＝＋－＠\t\n])""")


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells; None and NaN say that there is no value.

    >>> table = Table(("method", "AOPC"), (("lrp-epsilon", 11.684), ("random", None)), notes=("48 images",))
    >>> print(table)
    method        AOPC
    -----------  -----
    lrp-epsilon  11.68
    random           –
    <BLANKLINE>
    48 images
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise InputError(f"row {i} must have one cell per column = {len(self.columns)}, got {len(row)}: {row}")

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_rows_of_text(self) -> tuple[tuple[str, ...], ...]:
        """Cells as text; the numbers of a column share their decimals.

        >>> Table(("p",), ((0.04567,), (0.5,), (1e-9,))).to_rows_of_text()
        (('0.046',), ('0.500',), ('1e-09',))
        """
        decimals = [_decimals([row[j] for row in self.rows]) for j in range(len(self.columns))]
        return tuple(tuple(_text(cell, d) for cell, d in zip(row, decimals, strict=True)) for row in self.rows)

    def to_text(self) -> str:
        """Aligned columns for a terminal; numbers to the right."""
        cells = [[_printable(cell) for cell in row] for row in (self.columns, *self.to_rows_of_text())]
        widths = [max(map(_terminal_width, column)) for column in zip(*cells, strict=True)]
        cells.insert(1, ["-" * width for width in widths])
        right = self._are_numbers()
        lines = ["  ".join(map(_aligned, row, widths, right)).rstrip() for row in cells]
        return "\n".join([*lines, *([""] if self.notes else []), *map(_printable, self.notes)])

    def to_markdown(self) -> str:
        """A GitHub-flavoured Markdown table."""
        rule = ["---:" if right else "---" for right in self._are_numbers()]
        cells = [[_markdown(cell) for cell in row] for row in (self.columns, *self.to_rows_of_text())]
        cells.insert(1, rule)
        lines = [f"| {' | '.join(row)} |" for row in cells]
        return "\n".join([*lines, *(f"\n{_markdown(note)}" for note in self.notes), ""])

    def to_latex(self) -> str:
        r"""A tabular of the package booktabs; notes become comments.

        >>> print(Table(("a_b", "AOPC ↑"), (("R&D", 8.33),)).to_latex())
        \begin{tabular}{lr}
        \toprule
        a\_b & AOPC $\uparrow$ \\
        \midrule
        R\&D & 8.33 \\
        \bottomrule
        \end{tabular}
        <BLANKLINE>
        """
        columns = "".join("r" if right else "l" for right in self._are_numbers())
        head, *body = (" & ".join(map(_latex, row)) + r" \\" for row in (self.columns, *self.to_rows_of_text()))
        lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
        notes = [f"% {_printable(note)}" for note in self.notes]
        return "\n".join([*lines, r"\end{tabular}", *notes, ""])

    def to_csv(self) -> str:
        r"""Comma-separated values with all digits; no value is an empty cell, and the notes stay out.

        >>> Table(("file", "AOPC"), (("=1+1.png", -0.1234567),)).to_csv()
        "file,AOPC\n'=1+1.png,-0.1234567\n"
        """
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows(
            [_csv(cell) for cell in row] for row in (self.columns, *self.rows)
        )
        return file.getvalue()

    def to_html(self, caption: str = "") -> str:
        """An HTML table in which every text is escaped."""
        right = self._are_numbers()
        head = "".join(
            _html("th", cell, number, scope='scope="col"') for cell, number in zip(self.columns, right, strict=True)
        )
        body = "\n".join(
            f"<tr>{_html_row(texts, row, right)}</tr>"
            for texts, row in zip(self.to_rows_of_text(), self.rows, strict=True)
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        title = f"<caption>{html.escape(caption)}</caption>\n" if caption else ""
        return f"<table>\n{title}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n{notes}"

    def _are_numbers(self) -> list[bool]:
        """Whether each column holds numbers only."""
        columns = [[row[j] for row in self.rows if row[j] is not None] for j in range(len(self.columns))]
        return [bool(cells) and not any(isinstance(cell, str) for cell in cells) for cells in columns]


def _decimals(cells: list[Cell]) -> int:
    """Two decimals, or as many as show three digits of the largest number; fewer from a thousand upwards."""
    sizes = [abs(float(cell)) for cell in cells if _is_fraction(cell) and math.isfinite(cell)]
    if not any(sizes):
        return 2
    magnitude = math.floor(math.log10(max(sizes)))
    return min(max(2 - max(magnitude - 2, 0), 2 - magnitude, 0), 9)


def _is_fraction(cell: Cell) -> TypeGuard[float]:
    return isinstance(cell, float | np.floating)


def _text(cell: Cell, decimals: int) -> str:
    if cell is None or (_is_fraction(cell) and math.isnan(cell)):
        return NOTHING
    if not _is_fraction(cell):
        return str(cell)
    text = f"{cell:.{decimals}f}"
    if not float(text):  # a small number must not look like zero, nor zero like a small negative one
        return f"{cell:.3g}" if cell else f"{0:.{decimals}f}"
    return text


def _printable(text: str) -> str:
    """One line without control characters: a file name must not move the cursor."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))


def _terminal_width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _aligned(text: str, width: int, right: bool) -> str:
    space = " " * (width - _terminal_width(text))
    return space + text if right else text + space


def _markdown(text: str) -> str:
    """Text without links, pictures (which a reader's program would load) and control characters."""
    escaped = re.sub(r"([\\|`*\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
    return "<br>".join(map(_printable, escaped.splitlines()))


def _latex(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return "".join(LATEX.get(letter, letter) for letter in _printable(text))


def _csv(cell: Cell) -> Cell:
    if isinstance(cell, str):
        text = cell.replace("\r\n", "\n").replace("\r", "\n")  # the csv module of Python 3.11 leaves a bare \r unquoted
        return FORMULA.sub(
            r"\1'", text
        )  # quotes are not enough: many countries' spreadsheets split lines at semicolons
    if _is_fraction(cell):
        return None if math.isnan(cell) else float(cell)
    return cell


def _html(tag: str, text: str, number: bool, *, scope: str = "", value: Cell = None) -> str:
    """A cell; a number has all its digits beside it, for whoever sorts by them."""
    exact = f'data-value="{float(value):.9g}"' if number and isinstance(value, int | float) and value == value else ""
    attributes = " ".join(filter(None, (tag, scope, 'class="number"' if number else "", exact)))
    return f"<{attributes}>{html.escape(text)}</{tag}>"


def _html_row(texts: tuple[str, ...], row: tuple[Cell, ...], right: list[bool]) -> str:
    """The first cell names its row."""
    first, *others = zip(texts, right, row, strict=True)
    named = _html("th", first[0], first[1], scope='scope="row"', value=first[2])
    return named + "".join(_html("td", text, number, value=value) for text, number, value in others)
