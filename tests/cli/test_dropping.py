"""``--replacement drop``: vision transformers without the tokens of removed patches."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from heatproof.cli import main  # noqa: F401 - registers the commands
from heatproof.cli.application import app
from heatproof.errors import InputError

run = CliRunner()
DROP = ("--methods", "sensitivity-l2,random", "--replacement", "drop", "--audit", "0", "--out", "RUN")


@pytest.fixture(autouse=True)
def photos(monkeypatch, tmp_path):
    """A folder of four pictures, where the command runs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"picture {number}.png")


def test_compare_removes_the_patches_of_the_network():
    arguments = ["compare", "photos", "--network", "tiny_networks:transformer", *DROP]
    assert run.invoke(app, arguments, catch_exceptions=False).exit_code == 0
    protocol = json.loads(Path("RUN/run.json").read_text())["plan"]["protocol"]
    assert (protocol["replacement"], protocol["regions"], protocol["steps"]) == ("drop", 9, "all")
    scores = Path("RUN/shards/00000.parquet").read_bytes()
    again = run.invoke(app, arguments, catch_exceptions=False)  # resumes what is complete
    assert again.exit_code == 0
    assert Path("RUN/shards/00000.parquet").read_bytes() == scores
    assert run.invoke(app, ["report", "RUN"], catch_exceptions=False).exit_code == 0


@pytest.mark.parametrize(
    ("network", "reason"),
    [("cnn", "patches of 3 × 3 positions that overlap"), ("swin", "tokens are divided into windows")],
)
def test_networks_without_a_token_sequence_are_refused_in_one_line(network, reason):
    result = run.invoke(app, ["compare", "photos", "--network", f"tiny_networks:{network}", *DROP])
    assert isinstance(result.exception, InputError)  # the command prints it behind its name
    assert len(str(result.exception).splitlines()) == 1
    assert "replacement 'drop' leaves out the tokens of removed patches, and cannot on tiny" in str(result.exception)
    assert reason in str(result.exception)
    assert not Path("RUN").exists()
