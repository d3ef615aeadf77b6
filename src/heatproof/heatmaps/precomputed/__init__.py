"""Precomputed heatmaps in a file, found by the names of their images."""

from heatproof.heatmaps.precomputed.map_file import ImageSelection, MapFile, map_files

__all__ = ["ImageSelection", "MapFile", "map_files"]
