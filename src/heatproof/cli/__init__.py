"""The ``heatproof`` command: parse, call, print."""

from heatproof.cli import assess, compare, complexity, explain, fetch, listing, plan, replacements, statistics
from heatproof.cli.application import DISK_ERROR, INPUT_ERROR, INTERRUPTED, PARTIAL, main

__all__ = [
    "DISK_ERROR",
    "INPUT_ERROR",
    "INTERRUPTED",
    "PARTIAL",
    "assess",
    "compare",
    "complexity",
    "explain",
    "fetch",
    "listing",
    "main",
    "plan",
    "replacements",
    "statistics",
]
