"""Where a study's results lie, and in which form."""

from heatproof.runs.directory import check_free, whole_directory
from heatproof.runs.results import SCHEMA, environment, scores_frame, write_heatmaps, write_json

__all__ = [
    "SCHEMA",
    "check_free",
    "environment",
    "scores_frame",
    "whole_directory",
    "write_heatmaps",
    "write_json",
]
