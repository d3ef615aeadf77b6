"""Rows of a Zarr array, from the chunks that they lie in."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from heatproof.chunked.codecs import decoded
from heatproof.chunked.metadata import MOST_CHUNK, TEXT, Pipeline, Source, describe
from heatproof.errors import InputError

SMALL = 2**24  # bytes of a chunk that may be larger than its array
MOST_ACROSS = 2**12  # chunks that a row lies in
NOTHING = 2**64 - 1  # where the index of a shard has no chunk


class ZarrArray:
    """An array of which nothing is unpacked beyond what its metadata say, which are checked first.

    Attributes:
        shape: sizes of its axes.
        chunks: sizes of a chunk.
        dtype: of its values; ``object`` for texts.
        attributes: what was written beside it.

    Raises:
        InputError: if there is no array at the path, or it is not one that is read.
    """

    def __init__(self, source: Source, path: str) -> None:
        self._source, self._path = source, path
        self._about = describe(source, path)
        self._pipeline = self._about.pipeline
        self.shape, self.chunks = self._about.shape, self._pipeline.shape
        self.dtype: np.dtype[Any] = self._pipeline.dtype.newbyteorder("=")
        self.attributes: Mapping[str, Any] = self._about.attributes
        self._grid = tuple(-(-size // chunk) for size, chunk in zip(self.shape[1:], self.chunks[1:], strict=True))
        size = prod(self.chunks) * self.dtype.itemsize
        if size > MOST_CHUNK or size > max(SMALL, 2 * prod(self.shape) * self.dtype.itemsize):
            raise InputError(f"the chunks {self.chunks} of {path!r} {self.shape} are too large to be read")
        if prod(self._grid) > MOST_ACROSS:
            raise InputError(
                f"a row of {path!r} lies in {prod(self._grid):,} chunks; expected at most {MOST_ACROSS:,}: store "
                "larger chunks"
            )

    @property
    def as_written(self) -> bool:
        """Whether its chunks are such as :mod:`heatproof.chunked.writing` makes."""
        pipeline = self._pipeline
        plain = pipeline.inner is None and pipeline.axes == tuple(range(len(self.shape)))
        codecs = [name for name, _ in pipeline.codecs]
        whole = self.chunks[1:] == self.shape[1:] and self._about.key((7,) * len(self.shape)).startswith("c/7/7")
        return plain and whole and pipeline.dtype == "<f4" and codecs == ["zstd"] and bool(np.isnan(self._about.fill))

    def read(self, rows: Sequence[int] | None = None) -> np.ndarray:
        """The values: all of them, or some rows of the first axis, in any order."""
        if not self.shape:
            return self._chunk(())
        wanted = np.arange(self.shape[0]) if rows is None else np.asarray(rows, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.shape[0]:
            raise InputError(f"{self._path!r} has {self.shape[0]:,} rows; expected numbers of rows below that")
        found = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        first = wanted // self.chunks[0]
        for number in np.unique(first):
            here = np.flatnonzero(first == number)
            inside = wanted[here] - number * self.chunks[0]
            for place in product(*map(range, self._grid)):
                cut = _cut(place, self.chunks[1:])
                sizes = found[(slice(0), *cut)].shape[1:]  # at the border, less than a chunk
                whole: tuple[Any, ...] = (here, *cut)
                part: tuple[Any, ...] = (inside, *map(slice, sizes))
                found[whole] = self._chunk((int(number), *place))[part]
        return found

    def _chunk(self, place: tuple[int, ...]) -> np.ndarray:
        key = self._about.key(place)
        data = self._source(f"{self._path}/{key}" if self._path else key, self._pipeline.most)
        if data is None:
            return np.full(self.chunks, self._about.fill, self.dtype)
        try:
            return _values(data, self._pipeline, self._about.fill)
        except InputError as error:
            raise InputError(f"{key} of {self._path!r}: {error}") from None
        except Exception as error:  # decoders raise nearly every kind of exception on what is broken
            raise InputError(f"{key} of {self._path!r} cannot be unpacked: {type(error).__name__}: {error}") from error


def _cut(place: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(at * size, (at + 1) * size) for at, size in zip(place, sizes, strict=True))


def _values(data: bytes, pipeline: Pipeline, fill: object) -> np.ndarray:
    """The values of a chunk."""
    plain = decoded(data, pipeline.codecs, pipeline.size)
    if pipeline.inner:
        found = np.full(pipeline.shape, fill, pipeline.dtype.newbyteorder("="))
        for cut, part in _parts(plain, pipeline, pipeline.inner.shape):
            found[cut] = _values(part, pipeline.inner, fill)
        return found
    if pipeline.dtype == TEXT:
        values = np.array(list(_texts(plain, prod(pipeline.shape))), dtype=object)
    elif len(plain) == pipeline.size:
        values = np.frombuffer(plain, pipeline.dtype)
    else:
        raise InputError(f"expected {pipeline.size:,} bytes, got {len(plain):,}")
    stored = values.reshape([pipeline.shape[axis] for axis in pipeline.axes])
    return stored.transpose([pipeline.axes.index(axis) for axis in range(len(pipeline.axes))])


def _texts(data: bytes, count: int) -> Iterator[str]:
    """Texts with their lengths before them [numcodecs, vlen-utf8]."""
    if int.from_bytes(data[:4], "little") != count:
        raise InputError(f"expected {count:,} texts, got {int.from_bytes(data[:4], 'little'):,}")
    begin = 4
    for _ in range(count):
        end = begin + 4 + int.from_bytes(data[begin : begin + 4], "little")
        if end > len(data) or begin + 4 > len(data):
            raise InputError("a chunk of texts is incomplete")
        yield data[begin + 4 : end].decode()
        begin = end


def _parts(data: bytes, shard: Pipeline, shape: tuple[int, ...]) -> Iterator[tuple[tuple[slice, ...], bytes]]:
    """Where each chunk of this shape that is in a shard belongs, and its bytes."""
    if shard.index is None or len(data) < shard.index_size:
        raise InputError("a shard is incomplete")
    index = _values(data[-shard.index_size :] if shard.index_at_end else data[: shard.index_size], shard.index, 0)
    grid = (range(outer // inner) for outer, inner in zip(shard.shape, shape, strict=True))
    for place, (begin, size) in zip(product(*grid), index.tolist(), strict=True):
        if begin == size == NOTHING:
            continue
        if begin + size > len(data):
            raise InputError("a shard is incomplete")
        yield _cut(place, shape), data[begin : begin + size]
