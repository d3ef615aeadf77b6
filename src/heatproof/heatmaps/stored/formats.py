"""Arrays in a file, by name: what they are is known before any is read, so that none is larger than expected."""

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from heatproof.errors import InputError

STACK = "heatmaps"  # all maps in one array …
NAMES = "names"  # … and the names of their images
LONGEST_NAME = 4096  # characters
MOST_CHUNK = 2**31  # bytes; of a chunk that Zarr reads at once


class Arrays(ABC):
    """Arrays in a file.

    Attributes:
        keys: their names.
    """

    keys: tuple[str, ...]

    @abstractmethod
    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape of an array, and what it holds: "number", "text", or something else; nothing is read."""

    @abstractmethod
    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """An array, or some ascending rows of its first axis."""


class NumpyFile(Arrays):
    """One array in a ``.npy`` file."""

    def __init__(self, path: Path) -> None:
        self._array = np.load(path, mmap_mode="r", allow_pickle=False)
        self.keys = (STACK,)

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape and kind."""
        return self._array.shape, _kind(self._array.dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """All of it, or some rows."""
        return np.array(self._array if rows is None else self._array[list(rows)])


class NumpyArchive(Arrays):
    """Arrays in a ``.npz`` file; only what is wanted is unpacked, and no more of it than its header says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            self.keys = tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape and kind."""
        with self._open(key) as stream:
            shape, _, dtype = _header(stream)
            return shape, _kind(dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """All of it, or some rows."""
        with self._open(key) as stream:
            shape, fortran, dtype = _header(stream)
            if rows is None or fortran:
                whole = np.frombuffer(_exactly(stream, prod(shape) * dtype.itemsize), dtype)
                ordered = whole.reshape(shape, order="F" if fortran else "C")
                return np.array(ordered if rows is None else ordered[list(rows)])
            begin, size = stream.tell(), prod(shape[1:]) * dtype.itemsize
            read = np.empty((len(rows), *shape[1:]), dtype)
            for number, row in enumerate(rows):
                stream.seek(begin + row * size)
                read[number] = np.frombuffer(_exactly(stream, size), dtype).reshape(shape[1:])
            return read

    @contextmanager
    def _open(self, key: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self._path) as archive, archive.open(f"{key}.npy") as stream:
            yield stream


class Safetensors(Arrays):
    """Tensors in a ``.safetensors`` file."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        opened: Any = safe_open(path, framework="pt")
        self._file = opened
        self.keys = tuple(opened.keys())

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape and kind."""
        found = self._file.get_slice(key)
        return tuple(found.get_shape()), "complex" if "C" in found.get_dtype() else "number"

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """All of it, or some rows."""
        found = self._file.get_slice(key)
        parts = [found[:]] if rows is None else [found[row : row + 1] for row in rows]
        return np.concatenate([(part if part.dtype.itemsize == 8 else part.float()).numpy() for part in parts])


class ZarrFolder(Arrays):
    """Arrays of a ``.zarr`` folder; in that of a run, those of one method."""

    def __init__(self, path: Path, method: str) -> None:
        import zarr

        self._arrays: dict[str, Any] = {}
        opened = zarr.open(str(path), mode="r")
        if not isinstance(opened, zarr.Group):
            self._arrays[STACK] = opened
        elif "methods" in opened.attrs:
            self._arrays[STACK] = _of_run(path, opened, method)
        else:
            self._arrays |= {str(name): array for name, array in opened.members(None) if isinstance(array, zarr.Array)}
        self.keys = tuple(self._arrays)

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape and kind."""
        array = self._arrays[key]
        if prod(map(int, array.chunks)) * max(1, np.dtype(array.dtype).itemsize) > MOST_CHUNK:
            raise InputError(f"the chunks {array.chunks} of {key!r} are too large to be read")
        return tuple(array.shape), _kind(array.dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """All of it, or some rows."""
        array = self._arrays[key]
        return np.asarray(array[:] if rows is None else array.oindex[list(rows)])


FORMATS: dict[str, Callable[[Path, str], Arrays]] = {
    ".npz": lambda path, method: NumpyArchive(path),
    ".npy": lambda path, method: NumpyFile(path),
    ".safetensors": lambda path, method: Safetensors(path),
    ".zarr": ZarrFolder,
}


def _of_run(path: Path, group: Any, method: str) -> Any:  # noqa: ANN401 - Zarr's types are wider than what is kept
    """The array of one method in the folder of a run, whose maps are in the order of its data set."""
    methods = [str(name) for name in group.attrs["methods"]]
    if method not in methods and len(methods) > 1:
        raise InputError(f"it holds maps of {', '.join(methods)}: call yours by one of these names, got {method!r}")
    record = path.parent / "run.json"
    rule = json.loads(record.read_bytes()).get("plan", {}).get("rule") if record.is_file() else None
    if rule:
        raise InputError("its run took images in random order (--until), so that nothing says which maps are whose")
    return group[f"method-{methods.index(method) if method in methods else 0}"]


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype; the stream then stands before the values."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return tuple(shape), bool(fortran), dtype


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ValueError(f"expected {size} bytes of values, got {len(data)}")
    return data


def _kind(dtype: Any) -> str:  # noqa: ANN401 - NumPy's, or Zarr's
    kind, size = np.dtype(dtype).kind, np.dtype(dtype).itemsize
    if kind in "fiub" and size <= 8:
        return "number"
    return "text" if kind in "UT" and size <= 4 * LONGEST_NAME else str(dtype)
