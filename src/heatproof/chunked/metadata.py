"""What the metadata of a Zarr array may say: formats 2 and 3, numbers and texts, and listed codecs."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from heatproof.chunked.codecs import Codec, known, most_encoded
from heatproof.errors import InputError
from heatproof.json_objects import json_object

Source = Callable[[str, int], bytes | None]
"""What lies at a key, of at most so many bytes: InputError for more, None where nothing is."""

MOST_METADATA = 2**24  # bytes
MOST_VALUES = 2**21  # in metadata: a list costs 64 bytes
MOST_CHUNK = 2**31  # bytes, unpacked
MOST_INNER = 2**16  # chunks of a shard
MOST_AXES, MOST_CODECS = 8, 8
LONGEST = 2**40  # of an axis
LONGEST_TEXT, LONGEST_TEXTS = 2**14, 2**26  # bytes of a text of fixed length; of a chunk of other texts
ARRAY = {
    "zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs",
    "attributes", "storage_transformers", "dimension_names",
}  # fmt: skip
TEXT = np.dtype(object)  # of texts of any length
NUMBERS = {name: np.dtype(name) for name in ("bool", "float16", "float32", "float64")} | {
    f"{sign}int{bits}": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)
}
OLD_NUMBER, OLD_TEXT = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])"), re.compile(r"[<>|=]?U([0-9]{1,5})")


@dataclass(frozen=True)
class Pipeline:
    """How the values of a chunk became bytes.

    Attributes:
        dtype: of the values, with their byte order; ``TEXT`` where each has its own length.
        shape: of the chunk.
        axes: in the order in which they were stored.
        codecs: that the bytes went through, the first one first.
        inner: of the chunks in it, if it is a shard.
        index: of the list of where each of these begins and how long it is.
        index_at_end: where that list lies.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    codecs: tuple[Codec, ...]
    inner: "Pipeline | None" = None
    index: "Pipeline | None" = None
    index_at_end: bool = True

    @property
    def size(self) -> int:
        """Bytes before the codecs; at most so many for texts and shards."""
        if self.inner and self.index:
            return min(self.index.shape[0] * self.inner.most, 2 * MOST_CHUNK) + self.index_size
        return LONGEST_TEXTS if self.dtype == TEXT else prod(self.shape) * self.dtype.itemsize

    @property
    def most(self) -> int:
        """Bytes that the chunk may have in the store."""
        return most_encoded(self.codecs, self.size)

    @property
    def index_size(self) -> int:
        """Bytes of the list of a shard's chunks."""
        return self.index.size + 4 * len(self.index.codecs) if self.index else 0


@dataclass(frozen=True)
class Described:
    """An array, as its metadata has it."""

    shape: tuple[int, ...]
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
    found = _object(source, path, "zarr.json")
    if found is not None:
        return bool(found.get("node_type") == "array")
    if source(_join(path, ".zarray"), MOST_METADATA) is not None:
        return True
    if source(_join(path, ".zgroup"), MOST_METADATA) is None:
        raise InputError(f"there is no Zarr array or group {path!r}")
    return False


def attributes_of(source: Source, path: str) -> Mapping[str, Any]:
    """The attributes of an array or a group; none where there is neither."""
    found = _object(source, path, "zarr.json")
    attributes = (_object(source, path, ".zattrs") if found is None else found.get("attributes")) or {}
    if not isinstance(attributes, Mapping):
        raise InputError(f"the attributes of {path!r} are no object")
    return attributes


def describe(source: Source, path: str) -> Described:
    """The array at a path, whose metadata may say nothing that is not listed here.

    Raises:
        InputError: if there is none, or its metadata say something else.
    """
    try:
        found = _object(source, path, "zarr.json")
        old = _object(source, path, ".zarray") if found is None else None
        if old is not None:
            found = _upgraded(old, path) | {"attributes": attributes_of(source, path)}
        if found is None:
            raise InputError(f"there is no Zarr array {path!r}")
        return _described(found, path)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"the metadata of {path!r} are not those of an array: {type(error).__name__}: {error}"
        ) from error


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _object(source: Source, path: str, name: str) -> Mapping[str, Any] | None:
    key = _join(path, name)
    data = source(key, MOST_METADATA)
    return None if data is None else json_object(data, key, most_values=MOST_VALUES)


def _described(found: Mapping[str, Any], path: str) -> Described:
    if found["zarr_format"] != 3 or found["node_type"] != "array":
        raise InputError(f"{path!r} is no array of Zarr's format 3")
    if found.get("storage_transformers"):
        raise InputError(f"{path!r} has storage transformers; none are read")
    further = {key: value for key, value in found.items() if key not in ARRAY}
    unknown = [
        key
        for key, value in further.items()
        if not isinstance(value, dict) or value.get("must_understand") is not False
    ]
    if unknown:
        raise InputError(f"the metadata of {path!r} have unknown keys: {', '.join(unknown[:5])!s:.200}")
    grid, naming = _named(found["chunk_grid"]), _named(found["chunk_key_encoding"])
    shape, chunks = _sizes(found["shape"], 0), _sizes(grid[1]["chunk_shape"], 1)
    if grid[0] != "regular" or naming[0] not in ("default", "v2") or len(chunks) != len(shape):
        raise InputError(f"{path!r} has chunks {grid[0]!r:.40} with names {naming[0]!r:.40}; expected regular ones")
    separator = naming[1].get("separator", "/" if naming[0] == "default" else ".")
    if separator not in ("/", "."):
        raise ValueError(f"expected the separator / or ., got {separator!r:.40}")
    dtype = _type_of(found["data_type"], path)
    pipeline = _pipeline(found["codecs"], dtype, chunks, path)
    prefix = "c" if naming[0] == "default" else ""
    attributes = dict(found.get("attributes") or {})
    return Described(shape, _fill_of(found["fill_value"], dtype), pipeline, prefix, separator, attributes)


def _upgraded(old: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The metadata of format 2, as format 3 says the same."""
    if old["zarr_format"] != 2 or old["order"] not in ("C", "F"):
        raise InputError(f"{path!r} is no array of Zarr's format 2")
    codecs = [*(old.get("filters") or []), *([old["compressor"]] if old["compressor"] is not None else [])]
    dtype = str(old["dtype"])
    kind: object
    makes_bytes: dict[str, Any] = _step("bytes", endian="big" if dtype.startswith(">") else "little")
    if codecs and codecs[0].get("id") == "vlen-utf8" and re.fullmatch(r"\|O|[<>|=]?[US]\d+", dtype):  # 3.0: <U, too
        kind, makes_bytes = "string", _step(codecs.pop(0)["id"])
    elif OLD_NUMBER.fullmatch(dtype):
        kind = np.dtype(dtype).name
    elif text := OLD_TEXT.fullmatch(dtype):
        kind = _step("fixed_length_utf32", length_bytes=4 * int(text[1]))
    else:
        raise InputError(f"{path!r} holds {dtype!r:.80}; expected numbers of at most 64 bits, or texts")
    order = [_step("transpose", order=list(range(len(old["shape"])))[::-1])] if old["order"] == "F" else []
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": old["shape"],
        "data_type": kind,
        "chunk_grid": _step("regular", chunk_shape=old["chunks"]),
        "chunk_key_encoding": _step("v2", separator=old.get("dimension_separator", ".")),
        "fill_value": old["fill_value"],
        "codecs": [*order, makes_bytes, *({"name": one["id"], "configuration": one} for one in codecs)],
    }


def _step(name: str, **settings: object) -> dict[str, Any]:
    return {"name": name, "configuration": settings}


def _named(value: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - whatever JSON holds
    """A name and its configuration, which format 3 writes in two ways."""
    return (value, {}) if isinstance(value, str) else (value["name"], dict(value.get("configuration") or {}))


def _sizes(values: object, least: int) -> tuple[int, ...]:
    """Numbers of at least so much, one for each axis."""
    fits = isinstance(values, list) and all(type(one) is int and least <= one <= LONGEST for one in values)
    if not isinstance(values, list) or not fits or len(values) > MOST_AXES:
        raise ValueError(f"expected at most {MOST_AXES} sizes from {least} on, got {values!r:.80}")
    return tuple(values)


def _type_of(value: object, path: str) -> np.dtype[Any]:
    name, settings = _named(value)
    if name in NUMBERS:
        return NUMBERS[name]
    if name in ("string", "variable_length_utf8"):
        return TEXT
    size = settings.get("length_bytes")
    if name == "fixed_length_utf32" and isinstance(size, int) and 0 < size <= LONGEST_TEXT and size % 4 == 0:
        return np.dtype(f"<U{size // 4}")
    raise InputError(f"{path!r} holds {name!r:.80}; expected numbers of at most 64 bits, or texts")


def _fill_of(value: object, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - a number or a text
    """The value of a chunk that is not there."""
    if value is None or (dtype.kind in "OU" and value == 0):
        return "" if dtype.kind in "OU" else 0
    if isinstance(value, str) and dtype.kind == "f":
        special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
        if value in special:
            return special[value]
        return np.frombuffer(bytes.fromhex(value.removeprefix("0x")), dtype.newbyteorder(">"))[0]
    if not isinstance(value, str if dtype.kind in "OU" else bool | int | float):
        raise TypeError(f"expected a fill value, got {value!r:.80}")
    return value if isinstance(value, str) else np.array(value, dtype)[()]


def _pipeline(
    written: object, dtype: np.dtype[Any], shape: tuple[int, ...], path: str, *, within: bool = False
) -> Pipeline:
    if not isinstance(written, list) or len(written) > MOST_CODECS:
        raise ValueError(f"expected at most {MOST_CODECS} codecs, got {written!r:.80}")
    steps = [_named(one) for one in written]
    in_order = axes = tuple(range(len(shape)))
    while steps and steps[0][0] == "transpose":
        order = _sizes(steps.pop(0)[1]["order"], 0)
        if sorted(order) != list(in_order):
            raise ValueError(f"expected an order of {len(shape)} axes, got {order}")
        axes = tuple(axes[axis] for axis in order)
    if not steps:
        raise InputError(f"{path!r} has no codec that makes bytes")
    name, settings = steps.pop(0)
    codecs = tuple(known(*step, path) for step in steps)
    if name == "sharding_indexed" and not within and axes == in_order:
        return _shard(settings, dtype, shape, codecs, path)
    if name == "vlen-utf8" and dtype == TEXT:
        return Pipeline(dtype, shape, axes, codecs)
    if name != "bytes" or dtype == TEXT:
        raise InputError(
            f"{path!r} has the codec {name!r:.80} where bytes are made; expected bytes or sharding_indexed"
        )
    endian = settings.get("endian")
    if endian not in ("little", "big") and (endian is not None or dtype.itemsize > 1):
        raise ValueError(f"expected little or big, got {endian!r:.40}")
    return Pipeline(dtype.newbyteorder(">" if endian == "big" else "<"), shape, axes, codecs)


def _shard(
    settings: Mapping[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...], codecs: Sequence[Codec], path: str
) -> Pipeline:
    inner = _sizes(settings["chunk_shape"], 1)
    if len(inner) != len(shape) or any(outer % one for outer, one in zip(shape, inner, strict=True)):
        raise ValueError(f"chunks {inner} do not fill {shape}")
    count = prod(shape) // prod(inner)
    if count > MOST_INNER:
        raise InputError(f"{path!r} has {count:,} chunks in each shard; expected at most {MOST_INNER:,}")
    place = settings.get("index_location", "end")
    if place not in ("start", "end"):
        raise ValueError(f"expected an index at the start or the end, got {place!r:.40}")
    index = _pipeline(settings["index_codecs"], np.dtype("uint64"), (count, 2), path, within=True)
    if any(name != "crc32c" for name, _ in index.codecs):
        raise InputError(f"{path!r} has an index whose length is not known; expected the codecs bytes and crc32c")
    chunks = _pipeline(settings["codecs"], dtype, inner, path, within=True)
    return Pipeline(dtype, shape, tuple(range(len(shape))), tuple(codecs), chunks, index, place == "end")
