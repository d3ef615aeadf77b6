"""Where a study's results lie, and in which form."""

from heatproof.runs.directory import check_free, whole_directory
from heatproof.runs.results import (
    SCHEMA,
    environment,
    from_parquet,
    json_bytes,
    parquet_bytes,
    scores_frame,
    write_heatmaps,
)

__all__ = [
    "SCHEMA",
    "check_free",
    "environment",
    "from_parquet",
    "json_bytes",
    "parquet_bytes",
    "scores_frame",
    "whole_directory",
    "write_heatmaps",
]
