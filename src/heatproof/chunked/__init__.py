"""Zarr arrays that strangers may have made, read by code of our own and within bounds."""

from heatproof.chunked.arrays import ZarrArray
from heatproof.chunked.folder import ZarrFolder, files_below
from heatproof.chunked.metadata import Source, attributes_of, is_array
from heatproof.chunked.writing import array_metadata, chunk_key, encoded, group_metadata

__all__ = [
    "Source",
    "ZarrArray",
    "ZarrFolder",
    "array_metadata",
    "attributes_of",
    "chunk_key",
    "encoded",
    "files_below",
    "group_metadata",
    "is_array",
]
