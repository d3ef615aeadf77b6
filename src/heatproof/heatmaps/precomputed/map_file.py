"""A file of heatmaps: which map is whose, and whether it is the file that it was."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from heatproof.chunked import files_below
from heatproof.errors import InputError
from heatproof.guarded import check_stored, opened
from heatproof.heatmaps.precomputed.formats import FORMATS, NAMES, STACK
from heatproof.registry import unknown

LISTED = 5
AT_ONCE = 2**20  # bytes
MOST_VALUES = 2**30


@dataclass(frozen=True)
class ImageSelection:
    """Images of a data set whose maps are read."""

    places: tuple[int, ...]  # (n) in the data set, from 0
    names: tuple[str, ...] | None  # (n), if the images have names
    count: int  # of all images of the data set

    @classmethod
    def every(cls, count: int, names: Sequence[str] | None) -> "ImageSelection":
        """All images of a data set."""
        return cls(tuple(range(count)), None if names is None else tuple(names), count)


@dataclass(frozen=True)
class MapFile:
    """Heatmaps in a file: ``.npz``, ``.npy``, ``.zarr`` or ``.safetensors``.

    One array for each image, called by the image's name, its file name, or that without the suffix; or all maps as
    ``heatmaps`` (N, H, W), with ``names`` (N) or in the order of the data set. Maps are signed and have the size of the
    network's input. Nothing is unpickled, and nothing is read that is larger than such maps are.

    Attributes:
        path: of the file.
        method: what its maps are called.
        fingerprint: of what it held when it was opened first; empty for whatever it holds.
    """

    path: Path
    method: str
    fingerprint: str = ""

    def with_fingerprint(self) -> "MapFile":
        """The file with a hash of its present content, which later reads must match."""
        return MapFile(self.path, self.method, self.hashed())

    def check(self) -> None:
        """Refuses a file that does not hold any more what it held."""
        if self.fingerprint and self.hashed() != self.fingerprint:
            raise InputError(
                f"{str(self.path)!r} has changed since the run began; restore it, or start another run (--out)"
            )

    def hashed(self) -> str:
        """A hash of all that the file, or the folder, holds."""
        with self._opened():  # refuses what is no such file before all of it is read
            pass
        hashed = hashlib.blake2b(digest_size=16)
        folder = self.path if self.path.is_dir() else None
        for file in sorted(files_below(folder)) if folder else [self.path]:
            with opened(file, repr(str(file)), inside=folder) as stream:
                size = check_stored(stream, repr(str(file)))
                hashed.update(f"{file.relative_to(self.path.parent)}\0{size}\0".encode())
                while part := stream.read(AT_ONCE):
                    hashed.update(part)
        return hashed.hexdigest()

    def read(self, asked: ImageSelection, shape: tuple[int, int]) -> Tensor:
        """(n, H, W) maps of the images asked for, each of ``shape`` (H, W).

        Raises:
            InputError: if the file cannot be read, an image has no map or might have several, or a map has another
                shape.
        """
        with self._opened() as maps:
            rows = maps.rows_of_all(asked)
            maps.check(rows, shape)
            return _as_tensor(maps.read(rows, shape))

    def read_unchecked(self, asked: ImageSelection) -> Tensor:
        """Maps as the file has them, whatever their shape and number, of at most 8 GB; for those who check them."""
        with self._opened() as maps:
            if maps.stack:
                whole = maps.read_whole(maps.stack)
                return _as_tensor(whole if maps.names is None else whole[maps.rows_of_all(asked)])
            return _as_tensor(np.stack([maps.read_whole(maps.arrays.keys[row]) for row in maps.rows_of_all(asked)]))

    def missing(self, asked: ImageSelection, shape: tuple[int, int]) -> tuple[int, ...]:
        """Places of images that have no map; no map is read.

        Raises:
            InputError: as ``read`` does, except for missing maps.
        """
        with self._opened() as maps:
            rows = maps.rows(asked)
            maps.check([row for row in rows if row is not None], shape)
        return tuple(place for place, row in zip(asked.places, rows, strict=True) if row is None)

    @contextmanager
    def _opened(self) -> Iterator["_OpenedMaps"]:
        where = repr(str(self.path))
        try:
            yield _OpenedMaps(self.path, self.method)
        except Exception as error:  # malformed files make their readers raise nearly every kind of exception
            if isinstance(error, InputError) and where in str(error):
                raise
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            raise InputError(f"cannot read heatmaps from {where}: {kind}{error}") from error


class _OpenedMaps:
    """The maps in a file that was opened."""

    def __init__(self, path: Path, method: str) -> None:
        self.where = repr(str(path))
        ending = path.suffix.lower()
        if ending not in FORMATS:
            raise InputError(f"cannot read heatmaps from {self.where}; {unknown('ending', ending, [*FORMATS])}")
        if not path.exists():
            raise InputError(f"there is no file of heatmaps {self.where}")
        self.arrays = FORMATS[ending](path, method)
        keys = self.arrays.keys
        alone = STACK not in keys and len(keys) == 1 and len(self.arrays.about(keys[0])[0]) > 2
        self.stack = STACK if STACK in keys else keys[0] if alone else ""  # the array of all maps, if there is one

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """What the maps are called; none where they are all in one array, in the order of the data set."""
        if not self.stack:
            return self.arrays.keys
        if NAMES not in self.arrays.keys:
            return None
        shape, kind = self.arrays.about(NAMES)
        count = self.arrays.about(self.stack)[0][:1]
        if kind != "text" or shape != count:
            raise InputError(
                f"{NAMES!r} in {self.where} must hold a text for each of the maps {count}, got {kind} of shape {shape}"
            )
        return tuple(map(str, self.arrays.read(NAMES).tolist()))

    def rows(self, asked: ImageSelection) -> list[int | None]:
        """Row of the map of each image; None where there is no map."""
        if self.stack and self.names is None:
            there = self.arrays.about(self.stack)[0][:1]
            if there != (asked.count,):
                raise InputError(
                    f"{self.where} has no names, so it must hold one map for each of the {asked.count} images, in "
                    f"their order; it holds {there[0] if there else 'one number'}. Take exactly its images, or store "
                    f"{NAMES!r} beside {STACK!r} in a .npz file"
                )
            return list(asked.places)
        if asked.names is None:
            raise InputError(f"{self.where} stores heatmaps by image name: pass names=…, one for each image")
        return _matched(asked.names, self.names or (), self.where)

    def rows_of_all(self, asked: ImageSelection) -> list[int]:
        """Row of the map of each image; InputError if an image has no map."""
        rows = self.rows(asked)
        lost = [name for name, row in zip(asked.names or (), rows, strict=False) if row is None]
        if lost:
            known = self.names or ()
            raise InputError(
                f"{self.where} has no map for {len(lost)} of {len(rows)} images: {_some(lost)}; it has {len(known)}: "
                f"{_some(known)}"
            )
        return [row for row in rows if row is not None]

    def check(self, rows: Sequence[int], shape: tuple[int, int]) -> None:
        """Refuses what is no number for each pixel, before it is read."""
        for key in [self.stack] if self.stack else [self.arrays.keys[row] for row in rows]:
            came, kind = self.arrays.about(key)
            each = came[1:] if self.stack else came
            if kind == "number" and each in (shape, (1, *shape)):
                continue
            if kind != "number":
                advice = "store numbers of at most 64 bits"
            elif len(each) == 3:
                advice = "make one number of a pixel's channels: their sum for relevance, their norm for gradients"
            else:
                advice = (
                    "explain the resized and cropped image, or, if the network takes images of another size, say so "
                    "with resize and crop; nothing is resized here, since that would move relevance"
                )
            raise InputError(
                f"the {'maps' if self.stack else 'map'} {key!r} in {self.where}: expected "
                f"{'(N, H, W)' if self.stack else '(H, W)'} with (H, W) = {shape}, what the network reads, got {kind} "
                f"of shape {came}; {advice}"
            )

    def read(self, rows: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
        """(n, H, W) these maps, which were checked."""
        if not self.stack:
            return np.stack([self.arrays.read(self.arrays.keys[row]).reshape(shape) for row in rows])
        ascending, order = np.unique(rows, return_inverse=True)
        return self.arrays.read(self.stack, ascending.tolist()).reshape(len(ascending), *shape)[order]

    def read_whole(self, key: str) -> np.ndarray:
        """An array as it is."""
        shape, kind = self.arrays.about(key)
        if kind != "number" or prod(shape) > MOST_VALUES:
            raise InputError(f"{key!r} in {self.where}: expected heatmaps, got {kind} of shape {shape}")
        return self.arrays.read(key)


def map_files(given: Iterable[str]) -> dict[str, MapFile]:
    """Files of heatmaps by the names of their methods, from texts NAME=FILE.

    >>> map_files(["mine=maps.npz"])["mine"].path.name
    'maps.npz'

    Raises:
        InputError: for what is written otherwise, and for a name that comes twice.
    """
    files: dict[str, MapFile] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not name.strip() or not path.strip():
            raise InputError(f"expected heatmaps as NAME=FILE, such as mine=maps.npz, got {text!r:.80}")
        if name.strip() in files:
            raise InputError(f"two files of heatmaps are called {name.strip()!r}")
        files[name.strip()] = MapFile(Path(path.strip()), name.strip())
    return files


def _matched(names: Sequence[str], known: Sequence[str], where: str) -> list[int | None]:
    """Which of the known names is that of each image: the same, or the same file name, with or without its suffix.

    >>> _matched(["photos/a.png", "photos/b.png"], ["b", "photos/a.png"], "'maps.npz'")
    [1, 0]
    """
    ways: tuple[Callable[[str], str], ...] = (
        str, lambda name: PurePosixPath(name).name, lambda name: PurePosixPath(name).stem
    )  # fmt: skip
    indices: list[dict[str, list[int]]] = [{} for _ in ways]
    for row, name in enumerate(known):
        for way, index in zip(ways, indices, strict=True):
            index.setdefault(way(name), []).append(row)
    rows: list[int | None] = []
    taken: dict[int, str] = {}
    for name in names:
        found = next((index[way(name)] for way, index in zip(ways, indices, strict=True) if way(name) in index), [])
        if len(found) > 1:
            raise InputError(f"{where} has several maps for {name!r}: {_some([known[row] for row in found])}")
        if found and taken.setdefault(found[0], name) != name:
            raise InputError(
                f"the map {known[found[0]]!r} in {where} matches both {taken[found[0]]!r} and {name!r}: name maps "
                "after the full names of their images"
            )
        rows.append(found[0] if found else None)
    return rows


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:LISTED])) + (" …" if len(names) > LISTED else "")


def _as_tensor(maps: np.ndarray) -> Tensor:
    return torch.from_numpy(maps.astype(np.float64 if maps.dtype == np.float64 else np.float32))
