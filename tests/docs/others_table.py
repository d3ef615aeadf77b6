"""Runs the scripts of docs/others.md and writes its table: package, version, lines, seconds and verdict.

``python tests/docs/others_table.py`` prints the table; a test compares all of it but the seconds with the page.
"""

import contextlib
import importlib.util
import io
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "others.md"
MOST_LINES = 12

_spec = importlib.util.spec_from_file_location("docs_run_of_others", ROOT / "docs" / "run.py")
docs = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = docs
_spec.loader.exec_module(docs)


@dataclass(frozen=True)
class Row:
    """One script: its package and version, how many lines it has, how long it ran, and the last thing that it said."""

    package: str
    version: str
    lines: int
    seconds: float
    verdict: str

    def __str__(self):
        return f"| {self.package} {self.version} | {self.lines} | {self.seconds:.0f} | {self.verdict} |"


def scripts():
    """The blocks of the page that begin with another package's object."""
    return [block for block in docs.blocks(PAGE) if block.needs]


def lines_of(block):
    """Lines of a script with code in them."""
    return sum(bool(line.strip()) for line in block.code.splitlines())


def last_line(printed):
    """The sentence of a script's verdict that the table has."""
    return printed.strip().splitlines()[-1]


def row_of(block):
    """Runs a script."""
    distribution = packages_distributions()[block.needs][0]
    output, started = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(block.code, str(PAGE), "exec"), {"__name__": "script"})
    seconds = time.perf_counter() - started
    return Row(distribution, version(distribution), lines_of(block), seconds, last_line(output.getvalue()))


def table(rows):
    """The table of the page."""
    return "\n".join(["| package | lines | seconds | verdict |", "| --- | --- | --- | --- |", *map(str, rows)])


if __name__ == "__main__":
    print(table([row_of(block) for block in scripts() if block.can_run]))
