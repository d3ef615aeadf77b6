"""What a comparison takes as its images grow in number: small images, a tiny network, from the first to the last byte.

    python benchmarks/bench_large.py [--images 1000 10000 100000]

Each run is the command ``heatproof compare`` in a process of its own, with one method, its controls, the audit and the
page; then ``heatproof report`` of it. Seconds are processor time, so that other programs hardly count.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tables import Results

FILES, CLASSES = 5, 10  # of CIFAR-10's training set in its binary form
NETWORK = """
import torch
from torch import nn


class Tiny(nn.Sequential):
    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(
                nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
                nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10),
            )
"""
OPTIONS = (
    "--network nets.py:Tiny --resize 16 --crop 16 --methods gradient-x-input --protocol coarse-uniform "
    "--regions 4 --scored 2"
)
COMPARE = f"compare --data cifar10[split=train]:data {OPTIONS} --out RUN"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    results = Results("large", ("heatproof", "torch", "polars"), threads=options.threads)
    for images in options.images:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), images)
            measure(results, Path(folder), images)


def write(folder: Path, images: int) -> None:
    """Random pictures of coarse squares in CIFAR-10's binary form, and the network."""
    (folder / "nets.py").write_text(NETWORK)
    (folder / "data").mkdir()
    generator = np.random.default_rng(0)
    for number, several in enumerate(np.array_split(np.arange(images), FILES), start=1):
        coarse = generator.integers(0, 256, (len(several), 3, 8, 8), dtype=np.uint8)
        pixels = coarse.repeat(4, axis=2).repeat(4, axis=3).reshape(len(several), -1)  # (n, 3 * 32 * 32)
        labels = generator.integers(0, CLASSES, (len(several), 1), dtype=np.uint8)
        np.concatenate([labels, pixels], axis=1).tofile(folder / "data" / f"data_batch_{number}.bin")


def measure(results: Results, folder: Path, images: int) -> None:
    """Adds a row: the command, and the report of its run."""
    seconds, peak = timed(folder, COMPARE.split())
    again, peak_again = timed(folder, ["report", "RUN"])
    disk = sum(path.stat().st_size for path in (folder / "RUN").rglob("*") if path.is_file())
    page = (folder / "RUN" / "report.html").stat().st_size
    results.add(
        {
            "images": images, "seconds": seconds, "ms an image": 1000 * seconds / images, "peak, MiB": peak,
            "report: seconds": again, "report: peak, MiB": peak_again, "page, MiB": page / 2**20,
            "disk, MiB": disk / 2**20,
        },
        {"command": COMPARE},
    )  # fmt: skip


def timed(folder: Path, command: list[str]) -> tuple[float, float]:
    """Processor time and peak memory in MiB of a command in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "heatproof", *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"heatproof {' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
