"""What the metadata of a Zarr array may say: formats 2 and 3, numbers and texts, and listed codecs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from heatproof.chunked.codecs import Codec, known
from heatproof.chunked.pieces import TEXT, fill_of, named, old_type_of, optional, separator_of, sizes, type_of
from heatproof.errors import InputError
from heatproof.json_objects import json_object

Source = Callable[[str, int], bytes | None]
"""What lies at a key, of at most so many bytes: InputError for more, None where nothing is."""

MOST_METADATA = 2**24  # bytes
MOST_VALUES = 2**21  # in metadata: a list costs 64 bytes
MOST_INNER = 2**16  # chunks of a shard
ARRAY = {
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs",
    "attributes", "storage_transformers", "dimension_names",
}  # fmt: skip


@dataclass(frozen=True)
class Sharding:
    """Chunks that lie together in one object, with an index of where each begins and how long it is."""

    chunks: tuple[int, ...]
    inner: "Pipeline"
    index: "Pipeline"
    at_end: bool


@dataclass(frozen=True)
class Pipeline:
    """How the values of a chunk became bytes.

    Attributes:
        dtype: of the values, with their byte order; ``TEXT`` where each has its own length.
        axes: in the order in which they were stored.
        codecs: that the bytes went through, the first one first.
        sharding: in the place of all this, if there is any.
    """

    dtype: np.dtype[Any]
    axes: tuple[int, ...]
    codecs: tuple[Codec, ...]
    sharding: Sharding | None = None


@dataclass(frozen=True)
class Described:
    """An array, as its metadata has it."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    pipeline: Pipeline
    prefix: str  # of its chunks' names
    separator: str
    attributes: Mapping[str, Any]

    def key(self, place: tuple[int, ...]) -> str:
        """The name of the chunk at this place of the grid."""
        parts = [*([self.prefix] if self.prefix else []), *map(str, place)]
        return self.separator.join(parts) or "0"


def is_array(source: Source, path: str) -> bool:
    """Whether an array lies there; InputError if neither an array nor a group does."""
    found = _object(source, _join(path, "zarr.json"))
    if found is not None:
        return bool(found.get("node_type") == "array")
    if source(_join(path, ".zarray"), MOST_METADATA) is not None:
        return True
    if source(_join(path, ".zgroup"), MOST_METADATA) is None:
        raise InputError(f"there is no Zarr array or group {path!r}")
    return False


def attributes_of(source: Source, path: str) -> Mapping[str, Any]:
    """The attributes of an array or a group; none where there is neither."""
    found = _object(source, _join(path, "zarr.json"))
    attributes = (_object(source, _join(path, ".zattrs")) if found is None else found.get("attributes")) or {}
    if not isinstance(attributes, Mapping):
        raise InputError(f"the attributes of {path!r} are no object")
    return attributes


def describe(source: Source, path: str) -> Described:
    """The array at a path, whose metadata may say nothing that is not listed here.

    Raises:
        InputError: if there is none, or its metadata say something else.
    """
    try:
        found = _object(source, _join(path, "zarr.json"))
        if found is not None:
            return _described(found, path)
        old = _object(source, _join(path, ".zarray"))
        if old is None:
            raise InputError(f"there is no Zarr array {path!r}")
        return _described_old(old, attributes_of(source, path), path)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"the metadata of {path!r} are not those of an array: {type(error).__name__}: {error}"
        ) from error


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _object(source: Source, key: str) -> Mapping[str, Any] | None:
    data = source(key, MOST_METADATA)
    return None if data is None else json_object(data, key, most_values=MOST_VALUES)


def _described(found: Mapping[str, Any], path: str) -> Described:
    if found["zarr_format"] != 3 or found["node_type"] != "array":
        raise InputError(f"{path!r} is no array of Zarr's format 3")
    if found.get("storage_transformers"):
        raise InputError(f"{path!r} has storage transformers; none are read")
    unknown = [key for key, value in found.items() if key not in ARRAY and not optional(value)]
    if unknown:
        raise InputError(f"the metadata of {path!r} have unknown keys: {', '.join(unknown[:5])!s:.200}")
    grid, naming = named(found["chunk_grid"]), named(found["chunk_key_encoding"])
    shape = sizes(found["shape"], 0)
    chunks = sizes(grid[1]["chunk_shape"], 1)
    if grid[0] != "regular" or naming[0] not in ("default", "v2") or len(chunks) != len(shape):
        raise InputError(f"{path!r} has chunks {grid[0]!r:.40} with names {naming[0]!r:.40}; expected regular ones")
    dtype = type_of(found["data_type"], path)
    pipeline = _pipeline(found["codecs"], dtype, chunks, path)
    default = naming[0] == "default"
    separator = naming[1].get("separator", "/" if default else ".")
    attributes, fill = found.get("attributes") or {}, fill_of(found["fill_value"], dtype)
    if not isinstance(attributes, Mapping):
        raise TypeError(f"expected attributes, got {attributes!r:.80}")
    prefix = "c" if default else ""
    return Described(shape, chunks, dtype, fill, pipeline, prefix, separator_of(separator), attributes)


def _described_old(found: Mapping[str, Any], attributes: Mapping[str, Any], path: str) -> Described:
    shape, chunks = sizes(found["shape"], 0), sizes(found["chunks"], 1)
    if found["zarr_format"] != 2 or len(shape) != len(chunks) or found["order"] not in ("C", "F"):
        raise InputError(f"{path!r} is no array of Zarr's format 2")
    filters = list(found.get("filters") or [])
    dtype = old_type_of(found["dtype"], filters, path)
    written = [*filters, *([found["compressor"]] if found["compressor"] is not None else [])]
    codecs = tuple(known(one["id"], one, path) for one in written)
    axes = tuple(range(len(shape)))
    pipeline = Pipeline(dtype, axes if found["order"] == "C" else axes[::-1], codecs)
    return Described(
        shape, chunks, dtype, fill_of(found["fill_value"], dtype), pipeline, "",
        separator_of(found.get("dimension_separator", ".")), attributes,
    )  # fmt: skip


def _pipeline(
    written: object, dtype: np.dtype[Any], chunks: tuple[int, ...], path: str, *, within: bool = False
) -> Pipeline:
    if not isinstance(written, list) or len(written) > 8:
        raise ValueError(f"expected at most 8 codecs, got {written!r:.80}")
    steps = [named(one) for one in written]
    axes = tuple(range(len(chunks)))
    while steps and steps[0][0] == "transpose":
        order = sizes(steps.pop(0)[1]["order"], 0)
        if sorted(order) != list(range(len(chunks))):
            raise ValueError(f"expected an order of {len(chunks)} axes, got {order}")
        axes = tuple(axes[axis] for axis in order)
    if not steps:
        raise InputError(f"{path!r} has no codec that makes bytes")
    name, settings = steps.pop(0)
    codecs = tuple(known(*step, path) for step in steps)
    if name == "sharding_indexed" and not within and axes == tuple(range(len(chunks))):
        return Pipeline(dtype, axes, codecs, _sharding(settings, dtype, chunks, path))
    if name == "vlen-utf8" and dtype == TEXT:
        return Pipeline(dtype, axes, codecs)
    if name != "bytes" or dtype == TEXT:
        raise InputError(
            f"{path!r} has the codec {name!r:.80} where bytes are made; expected bytes or sharding_indexed"
        )
    endian = settings.get("endian")
    if endian not in ("little", "big") and (endian is not None or dtype.itemsize > 1):
        raise ValueError(f"expected little or big, got {endian!r:.40}")
    return Pipeline(dtype.newbyteorder(">" if endian == "big" else "<"), axes, codecs)


def _sharding(settings: Mapping[str, Any], dtype: np.dtype[Any], chunks: tuple[int, ...], path: str) -> Sharding:
    inner = sizes(settings["chunk_shape"], 1)
    if len(inner) != len(chunks) or any(outer % one for outer, one in zip(chunks, inner, strict=True)):
        raise ValueError(f"chunks {inner} do not fill {chunks}")
    count = prod(outer // one for outer, one in zip(chunks, inner, strict=True))
    if count > MOST_INNER:
        raise InputError(f"{path!r} has {count:,} chunks in each shard; expected at most {MOST_INNER:,}")
    place = settings.get("index_location", "end")
    if place not in ("start", "end"):
        raise ValueError(f"expected an index at the start or the end, got {place!r:.40}")
    index = _pipeline(settings["index_codecs"], np.dtype("uint64"), (count, 2), path, within=True)
    if any(codec.name != "crc32c" for codec in index.codecs):
        raise InputError(f"{path!r} has an index whose length is not known; expected the codecs bytes and crc32c")
    within = _pipeline(settings["codecs"], dtype, inner, path, within=True)
    return Sharding(inner, within, index, place == "end")
