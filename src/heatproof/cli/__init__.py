"""The ``heatproof`` command: parse, call, print."""

from heatproof.cli import assess, compare, explain, fetch, listing, plan, replacements, statistics
from heatproof.cli.application import DISK_ERROR, INPUT_ERROR, INTERRUPTED, PARTIAL, main

__all__ = [
    "DISK_ERROR",
    "INPUT_ERROR",
    "INTERRUPTED",
    "PARTIAL",
    "assess",
    "compare",
    "explain",
    "fetch",
    "listing",
    "main",
    "plan",
]
