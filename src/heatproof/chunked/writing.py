"""Zarr arrays of format 3, as heatproof writes them: zstd, and what was not written is the fill value."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEVEL = 0  # of zstd: its own default, and Zarr's


def group_metadata(attributes: Mapping[str, Any]) -> bytes:
    """The ``zarr.json`` of a group."""
    content = {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}
    return json.dumps(content, indent=2).encode()


def array_metadata(shape: Sequence[int], chunks: Sequence[int], attributes: Mapping[str, Any]) -> bytes:
    """The ``zarr.json`` of an array of 32-bit floats that are NaN until they are written."""
    content = {
        "shape": list(shape),
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN",
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": LEVEL, "checksum": False}},
        ],
        "attributes": dict(attributes),
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    return json.dumps(content, indent=2).encode()


def chunk_key(place: int, axes: int) -> str:
    """The name of the chunk at this place of the first axis, in an array that is not cut along the others."""
    return "/".join(["c", str(place), *["0"] * (axes - 1)])


def encoded(values: np.ndarray) -> bytes:
    """A whole chunk."""
    from numcodecs import zstd

    return bytes(zstd.compress(np.ascontiguousarray(values, dtype="<f4").tobytes(), LEVEL))
