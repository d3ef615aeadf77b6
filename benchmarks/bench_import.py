"""How long do imports and the command's words take?

``python benchmarks/bench_import.py`` runs each program in processes of its own, in turns. Seconds are medians of
their processor time (which other programs on the machine disturb less than the time on the clock).
"""

import argparse
import os
import statistics
import subprocess
import sys

from tables import Results, cores

PROGRAMS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "import torch, heatproof": ["-c", "import torch, heatproof"],
    "… and heatproof.Network": ["-c", "import torch, heatproof; heatproof.Network"],
    "… and every public name": ["-c", "import torch, heatproof; [getattr(heatproof, n) for n in heatproof.__all__]"],
    "import torch, quantus": ["-c", "import torch, quantus"],
    "heatproof": ["-m", "heatproof"],
    "heatproof --help": ["-m", "heatproof", "--help"],
    "heatproof --version": ["-m", "heatproof", "--version"],
    "heatproof compar (a slip)": ["-m", "heatproof", "compar"],
    "heatproof compare --help": ["-m", "heatproof", "compare", "--help"],
    "heatproof list methods": ["-m", "heatproof", "list", "methods"],
}
PACKAGES = ("heatproof", "torch", "torchvision", "typer", "quantus")


def seconds(arguments: list[str]) -> float:
    """Processor time of one run."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measures processes in turns, and adds a row for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, arguments in PROGRAMS.items():
            found[name].append(seconds(arguments))
    results = Results("import", PACKAGES, threads=cores())
    torch_alone = statistics.median(found["import torch"])
    for name, times in found.items():
        median = statistics.median(times)
        beyond = median - torch_alone if name.startswith(("import torch, ", "…")) else None
        results.add({"program": f"`{name}`", "seconds": median, "least": min(times), "beyond torch": beyond})


if __name__ == "__main__":
    main()
