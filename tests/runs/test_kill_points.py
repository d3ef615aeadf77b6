"""A command that is killed before any of its file operations resumes, or says in one line what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
TINY = ["photos", "--network", "tiny_networks:cnn"]
FEW = ["--regions", "12", "--steps", "2"]
COMPARE = ["compare", "--protocol=samek2017", *TINY, *FEW, "--methods", "sensitivity-l2", "--engine", "full"]
REPLACEMENTS = ["replacements", *TINY, *FEW, "--replacements", "black,grey", "--method", "sensitivity-l2"]
EXPLAIN = ["explain", *TINY, "--methods", "sensitivity-l2"]
OUT = ["--out", "RUN"]
COMMANDS = {
    "compare": [[*COMPARE, "--audit", "0", *OUT]],
    "compare --overwrite": [[*COMPARE, "--audit", "0", "--seed", "1", *OUT], [*COMPARE, *OUT, "--overwrite"]],
    "replacements": [[*REPLACEMENTS, *OUT]],
    "replacements --overwrite": [[*REPLACEMENTS, "--seed", "1", *OUT], [*REPLACEMENTS, *OUT, "--overwrite"]],
    "complexity": [["complexity", *TINY, "--methods", "sensitivity-l2", *OUT]],
    "explain": [[*EXPLAIN, *OUT]],
    "explain --overwrite": [[*EXPLAIN, *OUT], [*EXPLAIN, "--methods", "sensitivity-l2,sobel", *OUT, "--overwrite"]],
    "merge": [
        [*COMPARE, "--audit", "0", "--out", "share"],
        ["merge", "share", *OUT],
    ],
    "report": [[*COMPARE, "--audit", "0", *OUT], ["report", "RUN"]],
    "statistics": [["statistics", *TINY, "--out", "mean.safetensors"]],
    "init": [["init", "study.toml"]],
}
SAYS = ("exists already", "is being written")  # a file that was complete when its writer was killed


def killed(folder, commands, first=1, stride=1):
    """One record for each operation before which the last command was killed."""
    (folder / "template/photos").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(2):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"template/photos/{number}.png")
    paths = [str(HERE.parent / "cli"), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.run(
        [sys.executable, HERE / "killing.py", folder / "template", str(first), str(stride), json.dumps(commands)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return [json.loads(line) for line in process.stdout.splitlines()]


def check(records):
    for record in records:
        assert record["lost"] == [], record
        assert record["complete"], record  # the result that was there, or the new one
        assert "Traceback" not in record["text"], record
        if record["code"]:
            assert record["code"] == 2, record
            assert any(words in record["text"] for words in SAYS), record
            assert len(record["text"].splitlines()) == 1, record
        assert record["differ"] == [], record


@pytest.mark.parametrize(
    ("name", "stride"),
    [("compare", 19), ("compare --overwrite", 37), ("explain --overwrite", 7)],
)
def test_some_operations(tmp_path, name, stride):
    records = killed(tmp_path, COMMANDS[name], first=5, stride=stride)
    assert len(records) >= 3
    check(records)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_operation(tmp_path, name, record_property):
    records = killed(tmp_path, COMMANDS[name])
    record_property("operations", len(records))
    print(f"{name}: killed before {len(records)} operations")
    check(records)
