"""How long do imports and the command's words take?

``python benchmarks/bench_import.py`` runs each program in processes of its own, alternating, and prints medians of
their processor time (which other programs on the machine disturb less than the time on the clock).
"""

import os
import statistics
import subprocess
import sys

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
ROUNDS = 7


def seconds(arguments: list[str]) -> float:
    """Processor time of one run."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Prints a table of medians, and the least."""
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, arguments in PROGRAMS.items():
            found[name].append(seconds(arguments))
    for name, times in found.items():
        print(f"{name:28} {statistics.median(times):.2f} s, least {min(times):.2f} s")


if __name__ == "__main__":
    main()
