"""How everything that is drawn looks: one style, and text that any font and file name can bear."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

FONT = "DejaVu Sans"  # comes with matplotlib, so every machine draws the same letters
POINTS = 72.0  # per inch
TITLE_SIZE, LEADING, EDGE = 10.0, 1.3, 10.0
INK, GREY, FAINT = "#222222", "#6b6b6b", "#e4e4e4"

# Okabe and Ito's colours without yellow, which vanishes on white; dashed grey is kept for the reference.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DARK_COLOURS = ("#4DA3E0", "#FF8A3D", "#2BC79A", "#E7A0CB", "#F2B83B", "#9AD8FA", "#EDEDED")  # the same on black
REFERENCE_COLOURS = {"light": "#7a7a7a", "dark": "#a5a5a5"}
SCREEN_DASHES = ("solid", "dashdot", "dot", "longdashdot")
DASHES: tuple[Any, ...] = ("solid", (0, (6, 1.5, 1, 1.5)), (0, (1, 1.2)), (0, (3, 1.2, 1, 1.2, 1, 1.2)))
REFERENCE = {"color": "#7a7a7a", "linestyle": (0, (4, 2))}

SETTINGS: dict[Any, Any] = {
    "font.family": [FONT, "sans-serif"],
    "font.size": 8,
    "text.parse_math": False,  # a dollar in a file name is a dollar
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "heatproof",  # ids of clip paths are random without it
}


@contextmanager
def styled() -> Iterator[None]:
    """Draws in our style whatever the user's matplotlibrc says, and leaves no trace of it."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the curve number ``index``: 28 curves before two look alike."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index // len(COLOURS) % len(DASHES)]}


@cache
def glyphs() -> frozenset[int]:
    """Code points that the font can draw."""
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def legible(text: str) -> str:
    r"""One line of text in which a box stands for what the font lacks.

    >>> legible("cat 猫\n$5.png")
    'cat □ $5.png'
    """
    one_line = " ".join(text.split())
    return "".join(letter if letter.isprintable() and ord(letter) in glyphs() else "□" for letter in one_line)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line in points."""
    font = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])


def shortened(text: str, points: float, size: float, *, bold: bool = False) -> str:
    """Text with its middle left out so that it fits into ``points``; names differ at their ends.

    >>> shortened("a_very_long_name_of_a_photograph.png", points=80, size=8)
    'a_very_l…raph.png'
    """
    short, kept = text, min(len(text), int(4 * points / size)) + 1  # no letter is narrower than a quarter of its size
    while kept > 1 and width_of(short, size, bold=bold) > points:
        kept -= 1
        head = (kept + 1) // 2
        short = f"{text[:head]}…{text[len(text) - kept + head :]}"
    return short


def wrapped(text: str, points: float, size: float, *, lines: int, bold: bool = False) -> list[str]:
    """Legible lines of at most ``points`` in width, broken after spaces and punctuation.

    >>> wrapped("lrp-alphabeta[alpha=1,beta=0]", points=80, size=8, lines=3)
    ['lrp-alphabeta[', 'alpha=1,beta=0]']
    """
    rows = [""]
    for piece in re.split(r"(?<=[\s\[,_/·:-])", legible(text)):
        if width_of((rows[-1] + piece).rstrip(), size, bold=bold) <= points:
            rows[-1] += piece
        else:
            rows.append(shortened(piece, points, size, bold=bold))
    rows = [row.strip() for row in rows if row.strip()]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], shortened("".join(rows[lines - 1 :]), points, size, bold=bold)]
    return rows


def canvas(width: float, height: float, *, title: str = "") -> tuple[Figure, float]:
    """A white figure of this size in points, with room added for a title on top; also returns the title's height."""
    lines = wrapped(title, width - 2 * EDGE, TITLE_SIZE, lines=3, bold=True)
    heading = len(lines) * TITLE_SIZE * LEADING + (EDGE if lines else 0)
    figure = Figure(figsize=(width / POINTS, (height + heading) / POINTS), facecolor="white")
    write_lines(figure, lines, EDGE, EDGE, size=TITLE_SIZE, weight="bold")
    return figure, heading


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in points, counted from the upper left corner."""
    whole_width, whole_height = figure.get_size_inches() * POINTS
    return figure.add_axes(
        (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    )


def open_box(axes: Axes) -> None:
    """Leaves out the lines at the right and on top; what is drawn lies on the grid."""
    axes.set_axisbelow(True)
    axes.spines[["right", "top"]].set_visible(False)


def write_lines(figure: Figure, lines: Sequence[str], left: float, top: float, *, size: float, **look: Any) -> None:  # noqa: ANN401 - Matplotlib's
    """Writes lines of text at a place in points, counted from the upper left corner."""
    width, height = figure.get_size_inches() * POINTS
    given = {"fontsize": size, "color": INK, "va": "top", "linespacing": LEADING} | look
    figure.text(left / width, 1 - top / height, "\n".join(lines), given)
