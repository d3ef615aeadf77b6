"""What a survey takes as it grows: time and memory for 4, 16 and 64 comparisons of a tiny network.

    python benchmarks/bench_survey.py [--networks 2,8,32] [--images 8]

Each survey runs in a process of its own, which is asked for its peak memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tables import Results

import heatproof as hp

HERE = Path(__file__).resolve()
NETWORK = """
import torch
from torch import nn

import heatproof as hp


def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5),
        )
    return hp.Network(module, preprocessing=hp.Preprocessing(resize=40, crop=36))
"""
SURVEY = """study = "survey"
methods = ["lrp-epsilon", "gradient-x-input", "sensitivity-l2"]
protocols = ["coarse-uniform", "samek2017"]
regions = "6"
audit = 0
seed = 0

[data.noise]
pictures = ["pictures"]

"""


def main() -> None:
    """Measures surveys of each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default="2,8,32", help="numbers of networks, each compared under two protocols")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measured(given.run)))
        return
    results = Results("survey", ("heatproof", "torch"), threads=given.threads)
    environment = os.environ | {"OMP_NUM_THREADS": str(given.threads)}
    for networks in map(int, given.networks.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), networks, given.images)
            command = [sys.executable, str(HERE), "--run", folder]
            found = json.loads(
                subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
            )
        cells = {"comparisons": 2 * networks, "seconds": found["seconds"], "s each": found["seconds"] / (2 * networks)}
        results.add(cells | {"peak, MiB": found["memory"], "disk, MiB": found["disk"]}, {"images": given.images})


def write(folder: Path, networks: int, images: int) -> None:
    """A survey file with its pictures and network."""
    (folder / "pictures").mkdir()
    for number in range(images):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    (folder / "nets.py").write_text(NETWORK)
    sections = "".join(f'[networks.n{number}]\nnetwork = "nets.py:tiny"\n\n' for number in range(networks))
    (folder / "survey.toml").write_text(SURVEY + sections)


def measured(folder: Path) -> dict[str, float]:
    """Seconds, peak memory and size on disk of the survey in a folder."""
    started = time.perf_counter()
    hp.survey(folder / "survey.toml", folder / "out")
    seconds = time.perf_counter() - started
    disk = sum(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "memory": peak, "disk": disk / 2**20}


if __name__ == "__main__":
    main()
