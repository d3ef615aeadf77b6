"""Rows of a Zarr array, from the chunks that they lie in."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from heatproof.chunked.codecs import decoded, most_encoded
from heatproof.chunked.metadata import Described, Pipeline, Sharding, Source, describe
from heatproof.chunked.pieces import TEXT
from heatproof.errors import InputError

MOST_CHUNK = 2**31  # bytes, unpacked
SMALL = 2**24  # bytes of a chunk that may be larger than its array
MOST_ACROSS = 2**12  # chunks that a row lies in
LONGEST_TEXTS = 2**26  # bytes of a chunk of texts
NOTHING = 2**64 - 1  # where the index of a shard has no chunk


class ZarrArray:
    """An array of which nothing is unpacked beyond what its metadata say, which are checked first.

    Raises:
        InputError: if there is no array at the path, or it is not one that is read.
    """

    def __init__(self, source: Source, path: str) -> None:
        self._source, self._path = source, path
        self._about: Described = describe(source, path)
        about = self._about
        axes = zip(about.shape[1:], about.chunks[1:], strict=True)
        self._grid = tuple(-(-size // chunk) for size, chunk in axes)
        size = prod(about.chunks) * about.dtype.itemsize
        if size > MOST_CHUNK or size > max(SMALL, 2 * prod(about.shape) * about.dtype.itemsize):
            raise InputError(f"the chunks {about.chunks} of {path!r} {about.shape} are too large to be read")
        if prod(self._grid) > MOST_ACROSS:
            raise InputError(
                f"a row of {path!r} lies in {prod(self._grid):,} chunks; expected at most {MOST_ACROSS:,}: store "
                "larger chunks"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes."""
        return self._about.shape

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sizes of a chunk."""
        return self._about.chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values; ``object`` for texts."""
        return self._about.dtype.newbyteorder("=")

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What was written beside it."""
        return self._about.attributes

    def read(self, rows: Sequence[int] | None = None) -> np.ndarray:
        """All of it, or some rows of its first axis, in any order."""
        about = self._about
        if not about.shape:
            return self._chunk(())
        wanted = np.arange(about.shape[0]) if rows is None else np.asarray(rows, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < about.shape[0]:
            raise InputError(f"{self._path!r} has {about.shape[0]:,} rows, not those that were asked for")
        found = np.empty((len(wanted), *about.shape[1:]), self.dtype)
        first = wanted // about.chunks[0]
        for number in np.unique(first):
            here = np.flatnonzero(first == number)
            inside = wanted[here] - number * about.chunks[0]
            for place in product(*map(range, self._grid)):
                chunk = self._chunk((int(number), *place))
                cut = tuple(
                    slice(at * size, min((at + 1) * size, end))
                    for at, size, end in zip(place, about.chunks[1:], about.shape[1:], strict=True)
                )
                part: tuple[Any, ...] = (inside, *(slice(0, one.stop - one.start) for one in cut))
                whole: tuple[Any, ...] = (here, *cut)
                found[whole] = chunk[part]
        return found

    def _chunk(self, place: tuple[int, ...]) -> np.ndarray:
        about = self._about
        key = about.key(place)
        data = self._source(f"{self._path}/{key}" if self._path else key, _most(about.pipeline, about.chunks))
        if data is None:
            return np.full(about.chunks, about.fill, self.dtype)
        try:
            return self._decoded(data)
        except InputError as error:
            raise InputError(f"{key} of {self._path!r}: {error}") from None
        except Exception as error:  # decoders raise nearly every kind of exception on what is broken
            raise InputError(f"{key} of {self._path!r} cannot be unpacked: {type(error).__name__}: {error}") from error

    def _decoded(self, data: bytes) -> np.ndarray:
        about = self._about
        sharding = about.pipeline.sharding
        if sharding is None:
            return _values(data, about.pipeline, about.chunks)
        data = decoded(data, about.pipeline.codecs, _most_of_shard(sharding, about.chunks))
        found = np.full(about.chunks, about.fill, self.dtype)
        for cut, part in _parts(data, sharding, about.chunks):
            found[cut] = _values(part, sharding.inner, sharding.chunks)
        return found


def _values(data: bytes, pipeline: Pipeline, shape: tuple[int, ...]) -> np.ndarray:
    """The values of a chunk of this shape."""
    stored = tuple(shape[axis] for axis in pipeline.axes)
    size = _size(pipeline, shape)
    plain = decoded(data, pipeline.codecs, size)
    if pipeline.dtype == TEXT:
        return np.array(list(_texts(plain, prod(shape))), dtype=object).reshape(stored).transpose(_back(pipeline.axes))
    if len(plain) != size:
        raise InputError(f"expected {size:,} bytes, got {len(plain):,}")
    return np.frombuffer(plain, pipeline.dtype).reshape(stored).transpose(_back(pipeline.axes))


def _back(axes: tuple[int, ...]) -> list[int]:
    return [axes.index(axis) for axis in range(len(axes))]


def _texts(data: bytes, count: int) -> Iterator[str]:
    """Texts with their lengths before them [numcodecs, vlen-utf8]."""
    if int.from_bytes(data[:4], "little") != count:
        raise InputError(f"expected {count:,} texts, got {int.from_bytes(data[:4], 'little'):,}")
    begin = 4
    for _ in range(count):
        end = begin + 4 + int.from_bytes(data[begin : begin + 4], "little")
        if end > len(data) or begin + 4 > len(data):
            raise InputError("a chunk of texts is torn")
        yield data[begin + 4 : end].decode()
        begin = end


def _parts(data: bytes, sharding: Sharding, shape: tuple[int, ...]) -> Iterator[tuple[tuple[slice, ...], bytes]]:
    """Where each chunk that is in a shard belongs, and its bytes."""
    grid = tuple(outer // inner for outer, inner in zip(shape, sharding.chunks, strict=True))
    length = _index_size(sharding, prod(grid))
    if len(data) < length:
        raise InputError("a shard is torn")
    encoded = data[-length:] if sharding.at_end else data[:length]
    index = _values(encoded, sharding.index, (prod(grid), 2))
    for place, (begin, size) in zip(product(*map(range, grid)), index.tolist(), strict=True):
        if begin == size == NOTHING:
            continue
        if begin + size > len(data):
            raise InputError("a shard is torn")
        cut = tuple(slice(at * one, (at + 1) * one) for at, one in zip(place, sharding.chunks, strict=True))
        yield cut, data[begin : begin + size]


def _index_size(sharding: Sharding, count: int) -> int:
    return 16 * count + 4 * len(sharding.index.codecs)


def _size(pipeline: Pipeline, shape: tuple[int, ...]) -> int:
    return LONGEST_TEXTS if pipeline.dtype == TEXT else prod(shape) * pipeline.dtype.itemsize


def _most(pipeline: Pipeline, shape: tuple[int, ...]) -> int:
    """Bytes that a chunk of this shape may have in the store."""
    sharding = pipeline.sharding
    return most_encoded(
        pipeline.codecs, _size(pipeline, shape) if sharding is None else _most_of_shard(sharding, shape)
    )


def _most_of_shard(sharding: Sharding, shape: tuple[int, ...]) -> int:
    count = prod(outer // inner for outer, inner in zip(shape, sharding.chunks, strict=True))
    each = most_encoded(sharding.inner.codecs, _size(sharding.inner, sharding.chunks))
    return min(count * each, 2 * MOST_CHUNK) + _index_size(sharding, count)
