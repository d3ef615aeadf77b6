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
    merge,
    plan,
    replacements,
    report,
    statistics,
    status,
    view,
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
    "merge",
    "plan",
    "replacements",
    "report",
    "statistics",
    "status",
    "view",
]
