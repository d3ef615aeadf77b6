"""Heatmaps that somebody else made, in a file, found by the names of their images."""

from heatproof.heatmaps.stored.map_file import Asked, MapFile, map_files

__all__ = ["Asked", "MapFile", "map_files"]
