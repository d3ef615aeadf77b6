"""Heatmaps of a run as Zarr arrays, one for each method, which shards fill chunk by chunk."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import zarr

from heatproof.errors import InputError
from heatproof.runs.objects import Store

NAME = "heatmaps.zarr"
PICTURES = "pictures"  # those that the page shows
MOST_BYTES = 2**31  # of a chunk, or of all pictures that are kept


class MapArrays:
    """Arrays (N, H, W) of a run in a store; what was not written is NaN. Methods are attributes, never file names."""

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
        group = self._group("a")
        if "methods" in group.attrs:
            return
        for number, method in enumerate(methods):
            array = group.create_array(
                f"method-{number}",
                shape=shape,
                chunks=(at_once, *shape[1:]),
                dtype="float32",
                fill_value=np.nan,
                overwrite=True,
            )
            array.attrs["method"] = method
        size = (channels, *shape[1:])
        pictures = group.create_array(
            PICTURES,
            shape=(len(shown), *size),
            chunks=(1, *size),
            dtype="float32",
            fill_value=np.nan,
            overwrite=True,
        )
        pictures.attrs["positions"] = list(shown)
        group.attrs.update({"schema": schema, "methods": list(methods)})

    def write(self, places: range, rows: Sequence[int], maps: Mapping[str, np.ndarray]) -> None:
        """Writes a whole chunk for each method: maps (n, H, W) at these rows of it, NaN at the others."""
        group = self._group("r+")
        for number, method in enumerate(group.attrs["methods"]):
            if method in maps:
                array = group[f"method-{number}"]
                chunk = np.full((len(places), *array.shape[1:]), np.nan, dtype=np.float32)
                chunk[list(rows)] = maps[method]
                array[places.start : places.stop] = chunk

    def shape(self) -> tuple[int, int, int]:
        """(N, H, W) of each array.

        Raises:
            InputError: if the arrays are not there, or not such arrays.
        """
        with self._told():
            count, height, width = self._array(self._group("r"), "method-0", "float32", 3).shape
            return count, height, width

    def read(self, positions: Sequence[int]) -> dict[str, np.ndarray]:
        """(n, H, W) at these positions, by method.

        Raises:
            InputError: if the arrays are not there, or not such arrays.
        """
        with self._told():
            group = self._group("r")
            arrays = {
                str(method): self._array(group, f"method-{number}", "float32", 3)
                for number, method in enumerate(group.attrs["methods"])
            }
            return {
                method: np.stack([np.asarray(array[place]) for place in positions])
                if positions
                else np.empty((0, *array.shape[1:]), dtype=np.float32)
                for method, array in arrays.items()
            }

    def write_pictures(self, found: Mapping[int, np.ndarray]) -> None:
        """Keeps those of these pictures (C, H, W), by position, that are to be shown."""
        array = self._group("r+")[PICTURES]
        for row, position in enumerate(array.attrs["positions"]):
            if position in found:
                array[row] = found[position]

    def shown(self) -> list[int]:
        """Positions of the pictures that are to be shown."""
        with self._told():
            return list(self._pictures()[0])

    def pictures(self) -> dict[int, np.ndarray]:
        """The pictures (C, H, W) in [0, 1] that were kept, by position.

        Raises:
            InputError: if there is no array of them, or it is no such array.
        """
        with self._told():
            positions, array = self._pictures()
            rows = {position: np.asarray(array[row]) for row, position in enumerate(positions)}
            if array.dtype == "uint8":
                return {position: row.astype(np.float32) / 255 for position, row in rows.items()}
            return {position: row for position, row in rows.items() if not np.isnan(row).all()}

    def _pictures(self) -> tuple[list[int], Any]:
        """Positions, and the array; schema 2 kept the first ones as bytes."""
        group = self._group("r")
        if "positions" not in group[PICTURES].attrs:
            array = self._array(group, PICTURES, "uint8", 4)
            return list(range(array.shape[0])), array
        array = self._array(group, PICTURES, "float32", 4)
        positions = [int(position) for position in array.attrs["positions"]]
        if len(positions) != array.shape[0]:
            raise ValueError(f"expected {array.shape[0]} positions of pictures, got {len(positions)}")
        return positions, array

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # Zarr raises nearly every kind of exception on malformed files
            raise InputError(f"{NAME} of {self._store} cannot be read: {type(error).__name__}: {error}") from error

    def _array(self, group: Any, name: str, dtype: str, axes: int) -> Any:  # noqa: ANN401 - as below
        """An array that is what a run writes; a file can say that it is larger than any memory."""
        array = group[name]
        rows = array.shape[:1] if name == PICTURES else array.chunks[:1]
        at_once = prod((*rows, *map(max, array.shape[1:], array.chunks[1:]))) * array.dtype.itemsize
        if array.dtype != dtype or array.ndim != axes or at_once > MOST_BYTES:
            raise ValueError(
                f"expected {name} to be {dtype} with {axes} axes, got {array.dtype} of shape {array.shape}"
            )
        return array

    def _group(self, mode: Any) -> Any:  # noqa: ANN401 - Zarr's types are wider than what we keep
        return zarr.open_group(self._store.zarr_store(NAME), mode=mode)
