"""Heatmaps of a run as Zarr arrays, one for each method, which shards fill chunk by chunk."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from heatproof.errors import InputError
from heatproof.runs.objects import Store

NAME = "heatmaps.zarr"
PICTURES = "pictures"  # the first images, for the page


class MapArrays:
    """Arrays (N, H, W) of a run in a store; what was not written is NaN. Methods are attributes, never file names."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, methods: Sequence[str], shape: tuple[int, int, int], *, at_once: int, schema: int) -> None:
        """Makes the arrays, if they are not there, with so many maps in a chunk."""
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

    def read(self, positions: Sequence[int]) -> dict[str, np.ndarray]:
        """(n, H, W) at these positions, by method.

        Raises:
            InputError: if the arrays are not there, or not such arrays.
        """
        try:
            group = self._group("r")
            return {
                str(method): np.stack([np.asarray(group[f"method-{number}"][place]) for place in positions])
                for number, method in enumerate(group.attrs["methods"])
            }
        except (KeyError, ValueError, TypeError, IndexError, OSError) as error:
            raise InputError(f"{NAME} of {self._store} cannot be read: {type(error).__name__}: {error}") from error

    def write_pictures(self, pixels: np.ndarray) -> None:
        """Keeps pictures (n, C, H, W) as bytes."""
        self._group("a").create_array(PICTURES, data=pixels, chunks=(1, *pixels.shape[1:]), overwrite=True)

    def pictures(self) -> np.ndarray:
        """The pictures that were kept, (n, C, H, W) bytes."""
        return np.asarray(self._group("r")[PICTURES][:])

    def _group(self, mode: Any) -> Any:  # noqa: ANN401 - Zarr's types are wider than what we keep
        return zarr.open_group(self._store.zarr_store(NAME), mode=mode)
