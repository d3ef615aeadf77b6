"""Heatmaps of a run as Zarr arrays, one for each method, which shards fill chunk by chunk."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np

from heatproof.chunked import ZarrArray, array_metadata, attributes_of, chunk_key, encoded, group_metadata
from heatproof.errors import InputError
from heatproof.runs.objects import MissingError, Store, StoreError, is_name

NAME = "heatmaps.zarr"
METADATA = "zarr.json"
PICTURES = "pictures"  # those that the page shows
MOST_BYTES = 2**31  # of a chunk, or of all pictures that are kept


class MapArrays:
    """Arrays (N, H, W) of a run in a store; what was not written is NaN. Methods are attributes, never file names.

    Raises:
        InputError: if arrays that are read or written to are not there, or not such as a run writes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(
        self,
        methods: Sequence[str],
        shape: tuple[int, int, int],
        *,
        at_once: int,
        schema: int,
        shown: Sequence[int] = (),
        channels: int = 3,
    ) -> None:
        """Makes the arrays, if they are not there: so many maps in a chunk, and the pictures at positions ``shown``."""
        with self._reading():
            if "methods" in attributes_of(self._source, ""):
                return
        size = (channels, *shape[1:])
        written = {
            f"method-{number}/{METADATA}": array_metadata(shape, (at_once, *shape[1:]), {"method": method})
            for number, method in enumerate(methods)
        }
        written[f"{PICTURES}/{METADATA}"] = array_metadata((len(shown), *size), (1, *size), {"positions": list(shown)})
        written[METADATA] = group_metadata({"schema": schema, "methods": list(methods)})
        for key, data in written.items():
            self._store.put(f"{NAME}/{key}", data)

    def write(self, places: range, rows: Sequence[int], maps: Mapping[str, np.ndarray]) -> None:
        """Writes a whole chunk for each method: maps (n, H, W) at these rows of it, NaN at the others."""
        with self._reading():
            methods = self._methods()
        for number, method in enumerate(methods):
            if method in maps:
                with self._reading():
                    array = self._array(f"method-{number}", writable=True)
                chunk = np.full(array.chunks, np.nan, dtype=np.float32)
                chunk[list(rows)] = maps[method]
                self._put_chunk(f"method-{number}", places.start // len(chunk), chunk)

    def shape(self) -> tuple[int, int, int]:
        """(N, H, W) of each array."""
        with self._reading():
            count, height, width = self._array("method-0").shape
            return count, height, width

    def read(self, positions: Sequence[int]) -> dict[str, np.ndarray]:
        """(n, H, W) at these positions, by method."""
        with self._reading():
            methods = self._methods()
            arrays = [self._array(f"method-{number}") for number in range(len(methods))]
            return {method: array.read(positions) for method, array in zip(methods, arrays, strict=True)}

    def write_pictures(self, found: Mapping[int, np.ndarray]) -> None:
        """Keeps those of these pictures (C, H, W), by position, that are to be shown."""
        with self._reading():
            array = self._array(PICTURES, writable=True)
            positions = list(array.attributes["positions"])
        for row, position in enumerate(positions):
            if position in found:
                self._put_chunk(PICTURES, row, np.broadcast_to(found[position], array.chunks))

    def shown(self) -> list[int]:
        """Positions of the pictures that are to be shown."""
        with self._reading():
            return self._pictures()[0]

    def channels(self) -> int:
        """C of the pictures, whether one was kept or not."""
        with self._reading():
            return int(self._pictures()[1].shape[1])

    def pictures(self) -> dict[int, np.ndarray]:
        """The pictures (C, H, W) in [0, 1] that were kept, by position."""
        with self._reading():
            positions, array = self._pictures()
            rows = {position: array.read([row])[0] for row, position in enumerate(positions)}
            if array.dtype == "uint8":
                return {position: row.astype(np.float32) / 255 for position, row in rows.items()}
            return {position: row for position, row in rows.items() if not np.isnan(row).all()}

    def _pictures(self) -> tuple[list[int], ZarrArray]:
        """Positions, and the array; schema 2 kept the first ones as bytes."""
        if "positions" not in attributes_of(self._source, PICTURES):
            array = self._array(PICTURES, "uint8")
            return list(range(array.shape[0])), array
        array = self._array(PICTURES)
        positions = [int(position) for position in array.attributes["positions"]]
        if len(positions) != array.shape[0]:
            raise ValueError(f"expected {array.shape[0]} positions of pictures, got {len(positions)}")
        return positions, array

    def _methods(self) -> list[str]:
        methods = attributes_of(self._source, "")["methods"]
        if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
            raise ValueError(f"expected names of methods, got {methods!r:.80}")
        return methods

    def _array(self, name: str, dtype: str = "float32", *, writable: bool = False) -> ZarrArray:
        """An array that is what a run writes; a file can say that it is larger than any memory."""
        array, axes = ZarrArray(self._source, name), 4 if name == PICTURES else 3
        rows = array.shape[:1] if name == PICTURES else array.chunks[:1]
        at_once = prod((*rows, *map(max, array.shape[1:], array.chunks[1:]))) * array.dtype.itemsize
        if array.dtype != dtype or len(array.shape) != axes or at_once > MOST_BYTES:
            raise ValueError(
                f"expected {name} to be {dtype} with {axes} axes, got {array.dtype} of shape {array.shape}"
            )
        if writable and not array.as_written:
            raise ValueError(f"{name} is not stored as this version writes it")
        return array

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # whatever a file says may be of another type
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            raise InputError(f"{NAME} of {self._store} cannot be read: {kind}{error}") from error

    def _source(self, key: str, at_most: int) -> bytes | None:
        name = f"{NAME}/{key}"
        try:
            return self._store.get(name, at_most=at_most) if is_name(name) else None  # no format 2
        except MissingError:
            return None

    def _put_chunk(self, name: str, place: int, chunk: np.ndarray) -> None:
        """Writes a chunk; one of which nothing is known is left out, as Zarr does it."""
        key = f"{NAME}/{name}/{chunk_key(place, chunk.ndim)}"
        if np.isnan(chunk).all():
            self._store.delete(key)
        else:
            self._store.put(key, encoded(chunk))
