"""Arrays in a file, by name: what they are is known before any is read, so that none is larger than expected."""

import io
import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from heatproof.chunked import Source, ZarrArray, ZarrFolder, attributes_of, is_array
from heatproof.errors import InputError
from heatproof.guarded import check_size, opened
from heatproof.json_objects import json_object
from heatproof.zips import check_directory

STACK = "heatmaps"  # all maps in one array …
NAMES = "names"  # … and the names of their images
LONGEST_NAME = 4096  # characters
MOST_HEADER = 2**24  # bytes
MOST_RECORD = 2**28  # bytes of a run.json


class Arrays(ABC):
    """Arrays in a file."""

    keys: tuple[str, ...]  # their names

    @abstractmethod
    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        """Shape of an array, and what it holds: "number", "text", or something else; nothing is read."""

    @abstractmethod
    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        """An array, or some ascending rows of its first axis."""


class _NumpyFile(Arrays):
    """One array in a ``.npy`` file."""

    def __init__(self, path: Path) -> None:
        with opened(path, repr(str(path))) as file:
            shape, fortran, dtype = _header(file)
            begin, size = file.tell(), os.fstat(file.fileno()).st_size
            if size != begin + prod(shape) * dtype.itemsize or dtype.hasobject:
                raise ValueError(f"expected {prod(shape):,} numbers of {dtype}, got {size - begin:,} bytes")
            order: Literal["C", "F"] = "F" if fortran else "C"
            self._array = np.memmap(file, dtype, "r", begin, shape, order) if prod(shape) else np.empty(shape, dtype)
        self.keys = (STACK,)

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        return self._array.shape, _kind(self._array.dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        return np.array(self._array if rows is None else self._array[list(rows)])


class _NumpyArchive(Arrays):
    """Arrays in a ``.npz`` file; only what is wanted is unpacked, and no more of it than its header says."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._archive() as archive:
            self.keys = tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        with self._open(key) as stream:
            shape, _, dtype = _header(stream)
            return shape, _kind(dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
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
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with opened(self._path, repr(str(self._path))) as file:
            check_directory(file)
            with zipfile.ZipFile(file) as archive:
                yield archive

    @contextmanager
    def _open(self, key: str) -> Iterator[IO[bytes]]:
        with self._archive() as archive:
            member = archive.getinfo(f"{key}.npy")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{key!r} is packed by a method that NumPy does not write")
            with archive.open(member) as stream:
                yield stream


class _Safetensors(Arrays):
    """Tensors in a ``.safetensors`` file."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        with opened(path, repr(str(path))) as stream:
            check_size("its header", int.from_bytes(stream.read(8), "little"), MOST_HEADER)
        file: Any = safe_open(path, framework="pt")
        self._file = file
        self.keys = tuple(file.keys())

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        found = self._file.get_slice(key)
        return tuple(found.get_shape()), "complex" if "C" in found.get_dtype() else "number"

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        found = self._file.get_slice(key)
        parts = [found[:]] if rows is None else [found[row : row + 1] for row in rows]
        return np.concatenate([(part if part.dtype.itemsize == 8 else part.float()).numpy() for part in parts])


class _ZarrArrays(Arrays):
    """Arrays of a ``.zarr`` folder; in that of a run, those of one method."""

    def __init__(self, path: Path, method: str) -> None:
        if not path.is_dir():
            raise InputError("expected a folder")
        folder = ZarrFolder(path)
        self._source: Source = folder
        self._paths: dict[str, str] = {}
        if is_array(folder, ""):
            self._paths[STACK] = ""
        elif "methods" in (attributes := attributes_of(folder, "")):
            self._paths[STACK] = _of_run(path, attributes["methods"], method)
        else:
            self._paths |= {name: name for name in folder.arrays()}
        self.keys = tuple(self._paths)

    def about(self, key: str) -> tuple[tuple[int, ...], str]:
        array = ZarrArray(self._source, self._paths[key])
        return array.shape, "text" if array.dtype.kind == "O" else _kind(array.dtype)

    def read(self, key: str, rows: Sequence[int] | None = None) -> np.ndarray:
        return ZarrArray(self._source, self._paths[key]).read(rows)


FORMATS: dict[str, Callable[[Path, str], Arrays]] = {
    ".npz": lambda path, method: _NumpyArchive(path),
    ".npy": lambda path, method: _NumpyFile(path),
    ".safetensors": lambda path, method: _Safetensors(path),
    ".zarr": _ZarrArrays,
}


def _of_run(path: Path, listed: Sequence[object], method: str) -> str:
    """The array of one method in the folder of a run, whose maps are in the order of its data set."""
    methods = [str(name) for name in listed]
    if method not in methods and len(methods) > 1:
        raise InputError(f"it holds maps of {', '.join(methods)}; expected one of these names, got {method!r}")
    record = ZarrFolder(path.parent)("run.json", MOST_RECORD)
    rule = json_object(record, "run.json").get("plan", {}).get("rule") if record is not None else None
    if rule:
        raise InputError("its run took images in random order (--until), so its maps cannot be assigned to images")
    return f"method-{methods.index(method) if method in methods else 0}"


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype; the stream then stands before the values."""
    begin = _exactly(stream, 8)
    version = np.lib.format.read_magic(io.BytesIO(begin))
    length = _exactly(stream, 2 if version == (1, 0) else 4)
    check_size("its header", int.from_bytes(length, "little"), MOST_HEADER)
    header = io.BytesIO(length + _exactly(stream, int.from_bytes(length, "little")))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(header)
    if min(shape, default=0) < 0:
        raise ValueError(f"expected sizes of at least 0, got {shape}")
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
