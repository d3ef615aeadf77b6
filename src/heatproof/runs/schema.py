"""Versions of what a run in shards holds, and how runs of earlier versions are read. docs/runs.md has the columns."""

from collections.abc import Mapping
from typing import Any

SCHEMA = 3
READABLE = (2, 3)
WITHOUT_AUDIT = (
    "the audit of this run was stored without its curves: it is in run.json and audit.parquet, and left out here; "
    "'heatproof compare' with the same configuration and --out makes it again"
)


def migrated(record: Mapping[str, Any]) -> dict[str, Any]:
    """What ``run.json`` holds, as if it had been written today; its schema is one of ``READABLE``.

    Shards are the same in all of them.

    >>> migrated({"schema": 2, "study": "compare"})
    {'schema': 3, 'study': 'compare', 'notes': []}
    """
    if record["schema"] == 2:  # which had neither notes nor the curves of the audit
        return {**record, "schema": 3, "notes": [WITHOUT_AUDIT] if record.get("audit") else []}
    return dict(record)
