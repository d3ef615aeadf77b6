"""What a comparison takes as its images grow in number: small images, a tiny network, from the first to the last byte.

    python benchmarks/bench_large.py [--images 1000,10000,100000]

Each run is the command ``heatproof compare`` in a process of its own, with one method, its controls, the audit and the
page; then ``heatproof report`` and ``heatproof status`` of it. Prints a Markdown table.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

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
    """Measures runs of each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="1000,10000,100000", help="numbers of images")
    given = parser.parse_args()
    about = ", ".join(f"{name} {version(name)}" for name in ("heatproof", "torch", "polars"))
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}, {about},")
    print(f"{threads} threads on {os.cpu_count()} cores: heatproof {COMPARE}\n")
    print(
        "| images | seconds | processor time, s | ms an image | peak, MiB | report: s | peak, MiB | status: s | "
        "page, MiB | disk, MiB |\n|" + " ---: |" * 10
    )
    for images in map(int, given.images.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), images)
            print(row(Path(folder), images), flush=True)


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


def row(folder: Path, images: int) -> str:
    """A line of the table: the command, and the report and the status of its run."""
    seconds, processor, peak = timed(folder, COMPARE.split())
    _, again_processor, again_peak = timed(folder, ["report", "RUN"])
    _, status, _ = timed(folder, ["status", "RUN"])
    disk = sum(path.stat().st_size for path in (folder / "RUN").rglob("*") if path.is_file())
    page = (folder / "RUN" / "report.html").stat().st_size
    return (
        f"| {images:,} | {seconds:.0f} | {processor:.0f} | {1000 * processor / images:.1f} | {peak:.0f} | "
        f"{again_processor:.0f} | {again_peak:.0f} | {status:.1f} | {page / 2**20:.1f} | {disk / 2**20:.0f} |"
    )


def timed(folder: Path, command: list[str]) -> tuple[float, float, float]:
    """Seconds, processor time and peak memory in MiB of a command in a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "heatproof", *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"heatproof {' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
