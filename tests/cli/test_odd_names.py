"""Names of files and classes come from strangers: shown, never obeyed, and never the name of a file that is written."""

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from heatproof import cli
from heatproof.cli import printing
from heatproof.report import Table, gallery_figure, save_figure
from heatproof.report.page import Page, Section, render_page

ODD = [
    "<script>alert(1)<b>.png",
    "a\x1b[2J\x1b]0;title\x07.png",
    "back\u202egnp.exe.png",
    "new\nline\r.png",
    "=HYPERLINK(1).png",
    "+1.png",
    "![x](http:evil).png",
    "[click](javascript:1).png",
    "$\\frac{x$.png",
    ":warning:.png",
    "[red]bold[/red].png",
    "'\"&`*|.png",
    "..png",
    "-rf.png",
    "猫" * 60 + ".png",
    "x" * 240 + ".png",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Classes and pictures with odd names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(ODD):
        where = tmp_path / "photos" / ODD[number % 3].removesuffix(".png")
        where.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(where / name.replace("/", "_"), "PNG")
    (where / "bro\x1b[31mken.png").write_bytes(b"no picture")
    return tmp_path


OUTSIDE = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec"}
_seen, _looking = [], [False]


def _look(event, arguments):
    if _looking[0] and event in OUTSIDE:
        _seen.append((event, repr(arguments)[:100]))


sys.addaudithook(_look)  # cannot be taken away again


@pytest.fixture
def outside():
    """What reached out of the process: connections, listeners, other processes."""
    import torch  # noqa: F401  where it finds CUDA's bindings, it starts a process when it is first imported

    _seen.clear()
    _looking[0] = True
    yield _seen
    _looking[0] = False


def test_a_run_over_odd_names(folder, monkeypatch, capsys, outside):
    classes = folder / "classes.txt"
    classes.write_text("\n".join([*ODD[:8], "c"] * 2), encoding="utf-8")
    arguments = [
        "compare",
        "--protocol=samek2017",
        "--data",
        "folder:photos",
        "--network",
        "tiny_networks:cnn",
        "--out",
        "RUN",
        "--steps",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", ["heatproof", *arguments, "--methods", "sensitivity-l2", "--audit", "0"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == cli.PARTIAL
    assert outside == []
    shown = "".join(capsys.readouterr())
    assert "bro�[31mken.png" in shown.replace("\n", "")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", ""))
    for root, folders, files in os.walk(folder / "RUN"):
        for name in (*folders, *files):
            assert re.fullmatch(r"[\w.-]+", name), (root, name)
    assert sorted(path.name for path in folder.iterdir()) == ["RUN", "classes.txt", "photos"]
    page = (folder / "RUN" / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in json.dumps(json.loads((folder / "RUN" / "run.json").read_text()))


@pytest.fixture
def table():
    return Table(("image", *ODD[:2]), tuple((name, name, 1.0) for name in ODD), notes=(*ODD,))


def test_tables_in_a_terminal(table, monkeypatch):
    screen = Console(file=io.StringIO(), emoji=False, width=400)
    monkeypatch.setattr(printing, "screen", screen)
    monkeypatch.setattr(printing, "console", screen)
    printing.print_table(table)
    printing.warn(ODD)
    printing.say(ODD[1])
    for text in (screen.file.getvalue(), str(table)):
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
        assert ":warning:" in text
        assert "[red]bold[/red]" in text


def test_markdown_has_no_links_pictures_or_tags(table):
    text = table.to_markdown()
    assert not re.search(r"(?<!\\)\]\(|<(?!br>)|[\x00-\x09\x0b-\x1f\u202e]", text)
    assert text.count("\n| ") == len(ODD) + 1  # a name with a line's end stays in its row


def test_spreadsheets_see_no_formula(table):
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert len(rows) == len(ODD) + 1
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


def test_pages_and_figures(table, tmp_path):
    page = render_page(
        Page(
            ODD[0],
            verdict=ODD,
            warnings=ODD,
            sections=[Section(ODD[0], ODD, tables={ODD[0]: table})],
            skipped=[(name, name) for name in ODD],
            command=ODD[0],
            reproduce=ODD[0],
        )
    )
    assert "<script>alert" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page)
    images, maps = np.zeros((len(ODD), 9, 9, 3)), np.zeros((len(ODD), 9, 9))
    figure = gallery_figure(images, {ODD[0]: maps, ODD[8]: maps}, ODD)
    save_figure(figure, tmp_path / "gallery")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.png", "gallery.svg"]


def test_a_narrow_terminal_wraps_a_table_and_loses_no_number(monkeypatch):
    screen = Console(file=io.StringIO(), emoji=False, width=30)
    monkeypatch.setattr(printing, "screen", screen)
    printing.print_table(Table(("method", "AOPC", "p", "kept"), (("captum:LayerGradCam@layer4", 1.86, 0.0912, 0.116),)))
    assert all(text in screen.file.getvalue() for text in ("captum:LayerGradCam@layer4", "1.86", "0.0912", "0.116"))
