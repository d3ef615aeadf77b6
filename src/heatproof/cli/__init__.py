"""The ``heatproof`` command: parse, call, print."""

from heatproof.cli import (
    assess,
    check,
    compare,
    complexity,
    explain,
    fetch,
    init,
    listing,
    plan,
    replacements,
    report,
    statistics,
    status,
)
from heatproof.cli.application import CHECK_FAILED, DISK_ERROR, INPUT_ERROR, INTERRUPTED, PARTIAL, main

__all__ = [
    "CHECK_FAILED",
    "DISK_ERROR",
    "INPUT_ERROR",
    "INTERRUPTED",
    "PARTIAL",
    "assess",
    "check",
    "compare",
    "complexity",
    "explain",
    "fetch",
    "init",
    "listing",
    "main",
    "plan",
    "replacements",
    "report",
    "statistics",
    "status",
]
