"""Is ``--memory`` respected? The peak of ``heatproof compare`` in a process of its own, above what loading takes.

    python benchmarks/bench_memory.py [NETWORK …]      (torchvision's names; by default squeezenet1_0 resnet18 vgg16)

Peaks are ``ru_maxrss``, what the system had to hold at once. The baseline has imported everything, loaded the network,
and explained and perturbed one picture with the least memory; so it holds the weights, the graph, and libraries' own.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

MEMORY = ("0.25", "0.5", "1", "2")  # GB
PICTURES = 16
COMMAND = [sys.executable, "-c", "from heatproof.cli import main; main()", "compare"]
OPTIONS = ("--methods", "lrp-epsilon,gradient-x-input,sensitivity-l2", "--steps", "4", "--regions", "9", "--audit", "0")


def main() -> None:
    """Prints a table, one row for each network, engine and ``--memory``."""
    print("| network | engine | --memory | above the baseline | share |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, PICTURES):
            draw(Path(folder, f"{count}"), count)
        for network in sys.argv[1:] or ("squeezenet1_0", "resnet18", "vgg16"):
            for engine in ("full", "incremental"):
                baseline = peak(folder, "1", network, engine, "0.05")
                for memory in MEMORY:
                    above = peak(folder, f"{PICTURES}", network, engine, memory) - baseline
                    asked = float(memory) * 2**30
                    print(
                        f"| {network} | {engine} | {memory} GB | {above / 2**30:.2f} GB | {above / asked:.0%} |",
                        flush=True,
                    )


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
