"""A file of heatmaps: which map is whose, and whether it is the file that it was."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from heatproof.chunked import files_below
from heatproof.errors import InputError
from heatproof.guarded import check_stored, opened
from heatproof.heatmaps.stored.formats import FORMATS, NAMES, STACK, Arrays
from heatproof.registry import unknown

LISTED = 5
AT_ONCE = 2**20  # bytes
MOST_VALUES = 2**30


@dataclass(frozen=True)
class Asked:
    """Images that maps are wanted of.

    Attributes:
        places: (n) of the images in their data set, from 0.
        names: (n) of the images; none where they have no names.
        count: of all images of the data set.
    """

    places: tuple[int, ...]
    names: tuple[str, ...] | None
    count: int

    @classmethod
    def every(cls, count: int, names: Sequence[str] | None) -> "Asked":
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
        """The same, which from now on must hold what it holds now."""
        return MapFile(self.path, self.method, self.hashed())

    def check(self) -> None:
        """Refuses a file that does not hold any more what it held."""
        if self.fingerprint and self.hashed() != self.fingerprint:
            raise InputError(f"{str(self.path)!r} is not the file that the run was begun with")

    def hashed(self) -> str:
        """A hash of all that the file, or the folder, holds."""
        with self._told():
            self._opened()  # refuses what is no such file before all of it is read
        hashed = hashlib.blake2b(digest_size=16)
        folder = self.path if self.path.is_dir() else None
        for file in sorted(files_below(folder)) if folder else [self.path]:
            with opened(file, repr(str(file)), inside=folder) as stream:
                size = check_stored(stream, repr(str(file)))
                hashed.update(f"{file.relative_to(self.path.parent)}\0{size}\0".encode())
                while part := stream.read(AT_ONCE):
                    hashed.update(part)
        return hashed.hexdigest()

    def read(self, asked: Asked, shape: tuple[int, int]) -> Tensor:
        """(n, H, W) maps of the images asked for, each of ``shape`` (H, W).

        Raises:
            InputError: if the file cannot be read, an image has no map or might have several, or a map has another
                shape.
        """
        with self._told():
            arrays, stack = self._opened()
            rows = self._rows(arrays, stack, asked)
            lost = [number for number, row in enumerate(rows) if row is None]
            if lost:
                raise InputError(self._without(arrays, stack, asked, lost))
            found = [row for row in rows if row is not None]
            if stack:
                return self._of_stack(arrays, stack, found, shape)
            keys = [arrays.keys[row] for row in found]
            for key in keys:
                self._check(arrays, key, shape, f"the map {key!r}")
            return _as_tensor(np.stack([arrays.read(key).reshape(shape) for key in keys]))

    def read_unchecked(self, asked: Asked) -> Tensor:
        """Maps as the file has them, whatever their shape and number, of at most 8 GB; for those who check them."""
        with self._told():
            arrays, stack = self._opened()
            if stack and NAMES not in arrays.keys:
                return _as_tensor(self._whole(arrays, stack))
            rows = [row for row in self._rows(arrays, stack, asked) if row is not None]
            if len(rows) < len(asked.places):
                return self.read(asked, (0, 0))  # says what is missing
            if stack:
                return _as_tensor(self._whole(arrays, stack)[rows])
            return _as_tensor(np.stack([self._whole(arrays, arrays.keys[row]) for row in rows]))

    def missing(self, asked: Asked) -> tuple[int, ...]:
        """Places of images that have no map.

        Raises:
            InputError: as ``read`` does, but for missing maps.
        """
        with self._told():
            rows = self._rows(*self._opened(), asked)
        return tuple(place for place, row in zip(asked.places, rows, strict=True) if row is None)

    def check_shapes(self, asked: Asked, shape: tuple[int, int]) -> None:
        """Refuses maps of another shape (H, W) than ``shape``, without reading them; missing ones do not matter."""
        with self._told():
            arrays, stack = self._opened()
            keys = [arrays.keys[row] for row in self._rows(arrays, stack, asked) if row is not None and not stack]
            for key in keys:
                self._check(arrays, key, shape, f"the map {key!r}")
            if stack:
                self._check(arrays, stack, shape, f"the maps {stack!r}", stacked=True)

    def _opened(self) -> tuple[Arrays, str]:
        """The arrays, and which of them holds all maps; none where each map is an array."""
        arrays = self._format()(self.path, self.method)
        if STACK in arrays.keys:
            return arrays, STACK
        alone = len(arrays.keys) == 1 and len(arrays.about(arrays.keys[0])[0]) > 2
        return arrays, arrays.keys[0] if alone else ""

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # malformed files make their readers raise nearly every kind of exception
            if isinstance(error, InputError) and repr(str(self.path)) in str(error):
                raise
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            raise InputError(f"cannot read heatmaps from {str(self.path)!r}: {kind}{error}") from error

    def _format(self) -> Callable[[Path, str], Arrays]:
        ending = self.path.suffix.lower()
        if ending not in FORMATS:
            raise InputError(f"cannot read heatmaps from {str(self.path)!r}; {unknown('ending', ending, [*FORMATS])}")
        if not self.path.exists():
            raise InputError(f"there is no file of heatmaps {str(self.path)!r}")
        return FORMATS[ending]

    def _rows(self, arrays: Arrays, stack: str, asked: Asked) -> list[int | None]:
        """Of each image asked for: which map of all; none where there is none."""
        if stack and NAMES not in arrays.keys:
            there = arrays.about(stack)[0][:1]
            if there != (asked.count,):
                raise InputError(
                    f"{str(self.path)!r} has no names, so it must hold one map for each of the {asked.count} images, "
                    f"in their order; it holds {there[0] if there else 'one number'}. Take exactly its images, or "
                    f"store {NAMES!r} beside {STACK!r} in a .npz file"
                )
            return list(asked.places)
        if asked.names is None:
            raise InputError(f"{str(self.path)!r} finds maps by the names of images: pass names=…, one for each image")
        known = self._names(arrays, stack) if stack else arrays.keys
        return _matched(asked.names, known, str(self.path))

    def _names(self, arrays: Arrays, stack: str) -> tuple[str, ...]:
        shape, kind = arrays.about(NAMES)
        count = arrays.about(stack)[0][:1]
        if kind != "text" or shape != count:
            raise InputError(
                f"{NAMES!r} in {str(self.path)!r} must hold a text for each of the maps {count}, got {kind} of "
                f"shape {shape}"
            )
        return tuple(map(str, arrays.read(NAMES).tolist()))

    def _whole(self, arrays: Arrays, key: str) -> np.ndarray:
        shape, kind = arrays.about(key)
        if kind != "number" or prod(shape) > MOST_VALUES:
            raise InputError(f"{key!r} in {str(self.path)!r}: expected heatmaps, got {kind} of shape {shape}")
        return arrays.read(key)

    def _of_stack(self, arrays: Arrays, stack: str, rows: list[int], shape: tuple[int, int]) -> Tensor:
        self._check(arrays, stack, shape, f"the maps {stack!r}", stacked=True)
        ascending = sorted(set(rows))
        read = arrays.read(stack, ascending).reshape(len(ascending), *shape)
        place = {row: number for number, row in enumerate(ascending)}
        return _as_tensor(read[[place[row] for row in rows]])

    def _check(self, arrays: Arrays, key: str, shape: tuple[int, int], what: str, *, stacked: bool = False) -> None:
        """Refuses what is no number for each pixel, before it is read."""
        came, kind = arrays.about(key)
        each = came[1:] if stacked else came
        single = each[1:] if len(each) == 3 and each[0] == 1 else each
        if single == shape and kind == "number":
            return
        expected = f"expected {'(N, H, W)' if stacked else '(H, W)'} with (H, W) = {shape}, what the network reads"
        if kind != "number":
            help_text = "store numbers of at most 64 bits"
        elif len(each) == 3:
            help_text = (
                "make one number of the channels of a pixel first: their sum for relevance, their norm for gradients"
            )
        else:
            help_text = (
                "explain the resized and cropped image, or, if the network takes images of another size, say so with "
                "resize and crop; nothing is resized here, since that would move relevance"
            )
        raise InputError(f"{what} in {str(self.path)!r}: {expected}, got {kind} of shape {came}; {help_text}")

    def _without(self, arrays: Arrays, stack: str, asked: Asked, lost: list[int]) -> str:
        assert asked.names is not None, "maps without names are found by their places"
        known = self._names(arrays, stack) if stack else arrays.keys
        return (
            f"{str(self.path)!r} has no map for {len(lost)} of {len(asked.names)} images: "
            f"{_some([asked.names[number] for number in lost])}; it has {len(known)}: {_some(known)}"
        )


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

    >>> _matched(["photos/a.png", "photos/b.png"], ["b", "photos/a.png"], "maps.npz")
    [1, 0]
    """
    ways: tuple[Callable[[str], str], ...] = (
        str, lambda name: PurePosixPath(name).name, lambda name: PurePosixPath(name).stem
    )  # fmt: skip
    indices = [_index(known, way) for way in ways]
    either = list(zip(ways, indices, strict=True))
    rows = [next((index[way(name)] for way, index in either if way(name) in index), []) for name in names]
    taken: dict[int, str] = {}
    for name, found in zip(names, rows, strict=True):
        if len(found) > 1:
            raise InputError(f"{where!r} has several maps for {name!r}: {_some([known[row] for row in found])}")
        if found and taken.setdefault(found[0], name) != name:
            raise InputError(
                f"the map {known[found[0]]!r} in {where!r} might be of {taken[found[0]]!r} or of {name!r}: call maps "
                "by the whole names of their images"
            )
    return [found[0] if found else None for found in rows]


def _index(known: Sequence[str], way: Callable[[str], str]) -> Mapping[str, list[int]]:
    index: dict[str, list[int]] = {}
    for row, name in enumerate(known):
        index.setdefault(way(name), []).append(row)
    return index


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:LISTED])) + (" …" if len(names) > LISTED else "")


def _as_tensor(maps: np.ndarray) -> Tensor:
    return torch.from_numpy(maps.astype(np.float64 if maps.dtype == np.float64 else np.float32))
