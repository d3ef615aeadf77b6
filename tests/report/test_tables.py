"""One table, five ways to write it."""

import csv
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from heatproof.errors import InputError
from heatproof.report import Table
from heatproof.report.tables import NOTHING

TABLE = Table(
    ("method", "AOPC", "images"),
    (("lrp-alphabeta", 12.6512, 48), ("sensitivity-l2", 9.9499, 48), ("random", None, 0)),
    notes=("in logits",),
)


def test_text_is_aligned_with_numbers_to_the_right():
    expected = [
        "method           AOPC  images",
        "--------------  -----  ------",
        "lrp-alphabeta   12.65      48",
        "sensitivity-l2   9.95      48",
        f"random              {NOTHING}       0",
        "",
        "in logits",
    ]
    assert str(TABLE).splitlines() == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((12.65, 8.326), ("12.65", "8.33")),
        ((0.1234, 0.05), ("0.123", "0.050")),
        ((0.00123, -0.00045), ("0.00123", "-0.00045")),
        ((0.5, 1e-8), ("0.500", "1e-08")),
        ((123.456, 1.0), ("123.46", "1.00")),
        ((43210.9, 1.0), ("43211", "1")),
        ((0.0, -0.0), ("0.00", "0.00")),
        ((float("nan"), None), (NOTHING, NOTHING)),
        ((float("inf"), 1.0), ("inf", "1.00")),
        ((np.float32(0.5), np.float64(0.25)), ("0.500", "0.250")),
        ((3, True), ("3", "True")),
        ((np.int64(7), 3), ("7", "3")),
    ],
)
def test_numbers_are_short_and_alike_within_a_column(cells, expected):
    rows = Table(("x",), tuple((cell,) for cell in cells)).to_rows_of_text()
    assert tuple(row[0] for row in rows) == expected


def test_wide_letters_take_two_places_in_a_terminal():
    lines = str(Table(("file", "n"), (("猫.png", 1), ("ab.png", 2)))).splitlines()
    assert lines[2:] == ["猫.png  1", "ab.png  2"]


def test_a_file_name_cannot_move_the_cursor():
    text = str(Table(("file",), (("a\x1b[2J\nb",),)))
    assert "\x1b" not in text
    assert text.splitlines()[2] == "a�[2J b"


def test_markdown_escapes_what_would_break_the_table():
    table = Table(("a|b", "n"), (("x\\|y\nz `code` *bold* <b>&amp;", 1.0),), notes=("one|note",))
    head, rule, row, _, note = table.to_markdown().splitlines()
    assert head == r"| a\|b | n |"
    assert rule == "| --- | ---: |"
    assert row == r"| x\\\|y<br>z \`code\` \*bold\* &lt;b>&amp;amp; | 1.00 |"
    assert note == r"one\|note"


def test_csv_reads_back_with_all_digits():
    rows = list(csv.reader(io.StringIO(TABLE.to_csv())))
    assert rows[0] == ["method", "AOPC", "images"]
    assert [float(row[1]) for row in rows[1:3]] == [12.6512, 9.9499]
    assert rows[3] == ["random", "", "0"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_text_is_no_formula_for_a_spreadsheet(text):
    table = Table((text, "n"), ((text, -1.5), ('a,b\n"c"=', -2)))
    (header, _), (cell, number), (other, integer) = csv.reader(io.StringIO(table.to_csv(), newline=""))
    assert header == cell
    assert cell.startswith("'")
    assert cell.replace("'", "") == text.replace("\r", "\n")
    assert (number, other, integer) == ("-1.5", 'a,b\n"c"=', "-2")


SEPARATED = [
    "a;=1+1",
    "a; =1",
    "a;;-1",
    "a\t@x",
    "a\n=1",
    'a;"=1"',
    "＝1+1",
    "a;＝1",
    "＋1",
    "－1",
    "＠x",
    " =1",
    "'=1",
    "\t\t",
    "a\r=1",
]


@pytest.mark.parametrize("text", SEPARATED)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_is_a_formula_wherever_lines_are_split(text, separator):
    """A spreadsheet reads quotes only where a cell begins, by the separator of its country."""
    written = Table((f"h{text}", "n"), ((text, 1.0), ("x", 2.0))).to_csv()
    cells = [cell for line in written.split("\n") for cell in line.split(separator)]
    cells += [cell for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator) for cell in row]
    assert [cell for cell in cells if cell.strip(' "\t').startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))] == []
    assert next(csv.reader(io.StringIO(written, newline="")))[0].replace("'", "") == f"h{text}".replace(
        "'", ""
    ).replace("\r", "\n")


@pytest.mark.parametrize("text", ["lrp-alphabeta[alpha=1,beta=-1]", "a-b", "x = 1", "a;b=2", "−1", "1;2", "a:b@c"])
def test_harmless_names_stay_as_they_are(text):
    assert next(csv.reader(io.StringIO(Table((text,), ()).to_csv())))[0] == text


def test_csv_writes_numpy_numbers_plainly():
    assert Table(("x", "n"), ((np.float64(0.5), np.int64(3)), (np.float64("nan"), 4))).to_csv() == "x,n\n0.5,3\n,4\n"


def test_html_is_well_formed_and_escaped():
    table = Table(("<b>", "n"), (("<script>alert(1)</script>", 1.0), ('"&', None)), notes=("<i>",))
    root = ET.fromstring(f"<div>{table._repr_html_()}</div>")
    assert [cell.text for cell in root.iter("th")] == ["<b>", "n", "<script>alert(1)</script>", '"&']
    assert [cell.text for cell in root.iter("td")] == ["1.00", NOTHING]
    assert [cell.get("scope") for cell in root.iter("th")] == ["col", "col", "row", "row"]
    assert [note.text for note in root.iter("p")] == ["<i>"]
    assert root.find(".//caption") is None
    assert "<caption>a &lt; b</caption>" in table.to_html("a < b")


def test_an_empty_table_keeps_its_head():
    empty = Table(("method", "AOPC"), ())
    assert empty.to_text().splitlines() == ["method  AOPC", "------  ----"]
    assert empty.to_csv() == "method,AOPC\n"
    assert empty.to_markdown().splitlines() == ["| method | AOPC |", "| --- | --- |"]
    assert empty.to_html().count("<th ") == 2


def test_a_row_of_the_wrong_length_is_named():
    with pytest.raises(InputError, match=r"row 1 must have one cell per column = 2, got 1: \('b',\)"):
        Table(("x", "y"), (("a", 1), ("b",)))
