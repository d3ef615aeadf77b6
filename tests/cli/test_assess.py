"""``heatproof assess``, as a user meets it."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from heatproof import cli

MODEL = """
from torch import nn

def model():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9 * 9, 2))
"""


@pytest.fixture(autouse=True)
def _work(monkeypatch, tmp_path):
    """A folder with a model, three checkpoints, and pictures in class folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    generator = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "4.weight": (2, 324), "4.bias": (2,)}
    for step in (1, 5, 20):
        save_file(
            {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}, f"s{step}.safetensors"
        )
    pixels = np.random.default_rng(0)
    for number in range(6):
        file = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(file)


@pytest.fixture
def assess(run):
    """Runs ``heatproof assess``; returns its exit code, its output and its messages."""
    given = ["--network", "model.py:model", "--data", "folder:photos", "--regions", "5", "--out", "RUN"]
    return lambda *arguments: run("assess", *arguments, *given)


def test_checkpoints_of_a_users_own_network(assess, tmp_path):
    code, out, err = assess("s20.safetensors", "s5.safetensors", "s1.safetensors")
    assert code == 0, err
    described = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert list(described["checkpoints"]) == ["s1", "s5", "s20"]  # by the numbers in their names
    assert described["method"] == "lrp-alphabeta"
    assert set(described["estimates"]) >= {"accuracy", "AOPC", "standardised"}
    assert described["reproduce"].startswith("heatproof assess s20.safetensors")
    for text in (
        "checkpoint",
        "accuracy",
        "better heatmaps than all others",
        "Rank correlation with the accuracy",
        "RUN/report.html",
    ):
        assert text in out


def test_labels_can_be_left_out(assess, tmp_path):
    code, out, _ = assess("s1.safetensors", "s5.safetensors", "--no-labels", "--method", "sensitivity-l2")
    assert code == 0
    assert "accuracy" not in out
    assert "the network is most confident" in out  # what is left to look at
    described = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert "accuracy" not in described["estimates"]


def test_weights_of_another_network_are_refused(assess, tmp_path):
    save_file({"head": torch.ones(2)}, tmp_path / "other.safetensors")
    code, _, err = assess("s1.safetensors", "other.safetensors")
    assert code == cli.INPUT_ERROR
    assert "weights of other.safetensors do not fit Sequential; missing: 0.weight, 0.bias, 4.weight" in err
    assert not (tmp_path / "RUN").exists()


def test_pictures_must_be_named(assess, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["heatproof", "assess", "s1.safetensors", "--network", "model.py:model", "--out", "RUN"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert "expected --data NAME:PATH" in capsys.readouterr().err
