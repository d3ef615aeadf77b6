"""``python -m reproduce``: every figure and table of [Samek2017] that can be made here.

    python -m reproduce [--size small|paper] [--out reproduce/results] [figure4 …]

Figures 4 to 6 and 8 and Table I are made on every network and data set that survey.toml names.
Each writes its page, with its figures beside it, and what the paper found. The pages show pictures of the data sets, so
they stay on this machine; what was found is in docs/reproduction.md.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reproduce import assessment, complexity, digits, failures, perturbation, replacements
from reproduce.cells import SIZES, Size
from reproduce.results import Result

PARTS: dict[str, Callable[[Size], Iterator[Result]]] = {
    "digits": digits.run,  # Figure 3
    "perturbation": perturbation.run,  # Figures 4 and 6
    "complexity": complexity.run,  # Figure 5 and Table I
    "assessment": assessment.run,  # Figure 7
    "failures": failures.run,  # Figure 7 where the confidence fails
    "replacements": replacements.run,  # Figure 8
}


def main() -> None:
    """Makes the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--out", type=Path, default=Path("reproduce/results"))
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        started = time.perf_counter()
        for result in PARTS[name](SIZES[options.size]):
            print(f"{result.write(options.out)} ({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
