"""What all tests of the command share."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heatproof import cli
from heatproof.cli.output import output


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; returns its exit code, its output and its messages."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["heatproof", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "300")
        try:
            cli.main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    output.begin(as_json=False)  # for tests that call commands without ``main``


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of two pictures, where the tests of the command find a tiny network."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder
