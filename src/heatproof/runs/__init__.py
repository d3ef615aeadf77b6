"""Where a study's results lie, and in which form."""

from typing import TYPE_CHECKING

from heatproof.lazily import lazily

if TYPE_CHECKING:
    from heatproof.runs.results import (
        environment,
        from_parquet,
        json_bytes,
        parquet_bytes,
        scores_frame,
    )

__all__ = [
    "environment",
    "from_parquet",
    "json_bytes",
    "parquet_bytes",
    "scores_frame",
]

_HOMES = dict.fromkeys(__all__, "heatproof.runs.results")

__getattr__ = lazily(__name__, _HOMES)  # the command reads study files without Polars, Zarr and torch
