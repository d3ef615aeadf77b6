"""Where a study's results lie, and in which form."""

from heatproof.runs.directory import check_free, whole_directory
from heatproof.runs.results import SCHEMA, environment, scores_frame, json_bytes, write_heatmaps

__all__ = [
    "SCHEMA",
    "check_free",
    "environment",
    "json_bytes",
    "scores_frame",
    "whole_directory",
    "write_heatmaps",
]
