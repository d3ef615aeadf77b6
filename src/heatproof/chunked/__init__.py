"""Zarr arrays that strangers may have made, read by code of our own and within bounds."""

from heatproof.chunked.arrays import ZarrArray
from heatproof.chunked.folder import ZarrFolder
from heatproof.chunked.metadata import Source, attributes_of, is_array

__all__ = ["Source", "ZarrArray", "ZarrFolder", "attributes_of", "is_array"]
