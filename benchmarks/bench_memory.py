"""Is ``--memory`` respected? The peak of ``heatproof compare`` in a process of its own, above what loading takes.

    python benchmarks/bench_memory.py [--networks squeezenet1_0 resnet18 vgg16] [--resume]

Peaks are ``ru_maxrss``, what the system had to hold at once. The baseline has imported everything, loaded the network,
and explained and perturbed one picture with the least memory; so it holds the weights, the graph, and libraries' own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from tables import Results

MEMORY = ("0.25", "0.5", "1", "2")  # GB
PICTURES = 16
COMMAND = [sys.executable, "-c", "from heatproof.cli import main; main()", "compare"]
OPTIONS = ("--methods", "lrp-epsilon,gradient-x-input,sensitivity-l2", "--steps", "4", "--regions", "9", "--audit", "0")


def main() -> None:
    """Adds a row for each network, engine and ``--memory``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_0"], help="torchvision's names")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="pass over rows that are there")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    results = Results("memory", ("heatproof", "torch", "torchvision"), threads=options.threads, keys=3)
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, PICTURES):
            draw(Path(folder, f"{count}"), count)
        for network, engine in product(options.networks, ("full", "incremental")):
            asked = [
                memory for memory in MEMORY if not (options.resume and results.has(network, engine, f"{memory} GB"))
            ]
            baseline = peak(folder, "1", network, engine, "0.05") if asked else 0
            for memory in asked:
                above = (peak(folder, f"{PICTURES}", network, engine, memory) - baseline) / 2**30
                cells = {"network": network, "engine": engine, "`--memory`": f"{memory} GB", "above, GB": above}
                results.add(cells | {"share, %": 100 * above / float(memory)})


def draw(folder: Path, count: int) -> None:
    """Pictures of noise."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def peak(folder: str, pictures: str, network: str, engine: str, memory: str) -> int:
    """Bytes that the process had at most."""
    out = f"RUN-{pictures}-{network}-{engine}-{memory}"
    arguments = [pictures, "--network", f"torchvision:{network}", "--engine", engine, "--memory", memory, "--out", out]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, *arguments, *OPTIONS], cwd=folder, **quiet) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(errors.decode(errors="replace")[-2000:])
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
