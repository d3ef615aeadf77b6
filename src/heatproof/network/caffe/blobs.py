"""Caffe's binary files: the weights of a ``.caffemodel`` and the mean of a ``.binaryproto``."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.errors import InputError
from heatproof.network.caffe.wire import BYTES, EIGHT_BYTES, FOUR_BYTES, Field, fields, text, varint

# numbers of the fields, as Caffe's published message definitions fix them
_NET_LAYERS, _NET_LAYER = 2, 100  # the layers of a network: the old form (V1), the new form
_OLD_FIRST, _OLD_NAME, _OLD_BLOBS = 1, 4, 6
_NEW_NAME, _NEW_BLOBS = 1, 7
_BLOB_SIZES, _BLOB_DATA, _BLOB_SHAPE, _BLOB_DOUBLE = (1, 2, 3, 4), 5, 7, 8
_SHAPE_DIM = 1
MOST_LAYERS, MOST_ARRAYS, MOST_AXES = 10_000, 16, 32  # with weights in a file; of one layer; of an array


@dataclass(frozen=True)
class Blob:
    """An array of numbers, as it lies in the file.

    Attributes:
        shape: as the file says; old files say four sizes (num, channels, height, width), filled with ones in front.
        values: all of them, flat.
    """

    shape: tuple[int, ...]
    values: np.ndarray

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it has this shape, but for ones in front.

        >>> Blob((1, 1, 1, 6), np.zeros(6)).fits((6,)), Blob((2, 3), np.zeros(6)).fits((3, 2))
        (True, False)
        """
        return _without_ones(self.shape) == _without_ones(shape)


def read_blobs(path: Path) -> dict[str, list[Blob]]:
    """The blobs of each layer that has some, by name, from a ``.caffemodel`` of the old or the new form.

    The values stay in the file until they are copied.

    Raises:
        InputError: if the file is missing, no whole ``.caffemodel``, or of the first form (of 2013).
    """
    _check_there(path, "weights")
    found: dict[str, list[Blob]] = {}
    try:
        for field in fields(_mapped(path)):
            if field.number in (_NET_LAYERS, _NET_LAYER) and field.kind == BYTES:
                name, blobs = _layer(field)
                if blobs:
                    found[name] = blobs
                if len(found) > MOST_LAYERS:
                    raise InputError(f"it has more than {MOST_LAYERS:,} layers with weights")
    except InputError as error:
        raise InputError(f"{path.name} is no whole .caffemodel: {error}") from None
    if not found:
        raise InputError(f"{path.name} is no .caffemodel with weights: no layer in it has any")
    return found


def read_mean(path: Path) -> tuple[float, ...]:
    """The mean of each channel (BGR, 0 to 255) of a mean image or of single values, from a ``.binaryproto``.

    A mean image is averaged over its positions, as in Caffe's own classification example.

    Raises:
        InputError: if the file is missing, or holds no mean of one or three channels.
    """
    _check_there(path, "mean")
    try:
        blob = _blob(_mapped(path))
    except InputError as error:
        raise InputError(f"{path.name} is no whole .binaryproto: {error}") from None
    sizes = _without_ones(blob.shape) if blob.values.size == 3 else (1, 1, 1, *blob.shape)[-3:]
    channels = sizes[0]  # (channels, height, width), or the channels alone
    if channels not in (1, 3) or prod(sizes) != blob.values.size:
        raise InputError(f"{path.name} must hold a mean of one or three channels, got an array {blob.shape}")
    mean = blob.values.reshape(channels, -1).mean(axis=1, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise InputError(f"{path.name} holds a mean that is not finite: {mean.tolist()}")
    return tuple(mean.tolist())


def _check_there(path: Path, what: str) -> None:
    if not path.is_file():
        raise InputError(f"{what}: there is no file {str(path)!r}")


def _mapped(path: Path) -> memoryview:
    """The bytes of a file, read when they are looked at."""
    if path.stat().st_size == 0:
        raise InputError("it is empty")
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(data[:4]) == b"\x89HDF":
        raise InputError("it is an HDF5 file; Caffe's upgrade_net_proto_binary writes the other form")
    return data


def _layer(field: Field) -> tuple[str, list[Blob]]:
    """Name and blobs of one layer."""
    old = field.number == _NET_LAYERS
    named, holding = (_OLD_NAME, _OLD_BLOBS) if old else (_NEW_NAME, _NEW_BLOBS)
    name = "without a name"
    blobs = []
    try:
        for part in fields(field.view):
            if part.number == named:
                name = text(part.view)
            elif part.number == holding:
                blobs.append(_blob(part.view))
                if len(blobs) > MOST_ARRAYS:
                    raise InputError(f"it has more than {MOST_ARRAYS} arrays")
            elif old and part.number == _OLD_FIRST and part.kind == BYTES:
                raise InputError("it has Caffe's first form (of 2013); upgrade_net_proto_binary writes the present one")
    except InputError as error:
        raise InputError(f"layer {name!r}: {error}") from None
    return name, blobs


def _blob(data: memoryview) -> Blob:
    """One array; its sizes must be those of its numbers."""
    sizes = dict.fromkeys(_BLOB_SIZES, 1)
    shape: tuple[int, ...] | None = None
    held: memoryview | bytearray = memoryview(b"")
    dtype = np.dtype("<f4")
    for field in fields(data):
        if field.number in sizes:
            sizes[field.number] = field.whole
        elif field.number == _BLOB_SHAPE:
            shape = tuple(islice(_wholes(field.view), MOST_AXES + 1))
        elif field.number in (_BLOB_DATA, _BLOB_DOUBLE):
            before, (dtype, numbers) = dtype, _numbers(field)
            if not held:
                held = numbers
                continue
            if dtype != before:
                raise InputError("an array holds numbers of four and of eight bytes")
            held = bytearray(held) if isinstance(held, memoryview) else held
            held += numbers  # numbers that are not packed come one by one
    shape = tuple(sizes.values()) if shape is None else shape
    if len(shape) > MOST_AXES:
        raise InputError(f"an array has more than {MOST_AXES} sizes")
    values = np.frombuffer(held, dtype) if held else np.empty(0, dtype)
    if prod(shape) != values.size or not values.size:
        raise InputError(f"an array {shape} should hold {prod(shape)} numbers (one at least), got {values.size}")
    return Blob(shape, values)


def _numbers(field: Field) -> tuple[np.dtype[Any], memoryview]:
    """The bytes of numbers, packed or one alone, and their type."""
    kind, dtype = (FOUR_BYTES, np.dtype("<f4")) if field.number == _BLOB_DATA else (EIGHT_BYTES, np.dtype("<f8"))
    if field.kind not in (kind, BYTES) or len(field.view) % dtype.itemsize:
        raise InputError(f"field {field.number} must hold numbers of {dtype.itemsize} bytes each")
    return dtype, field.view


def _wholes(data: memoryview) -> Iterator[int]:
    """The sizes of a shape, packed or one by one."""
    for field in fields(data):
        if field.number == _SHAPE_DIM and isinstance(field.value, int):
            yield field.value
        elif field.number == _SHAPE_DIM:
            position = 0
            while position < len(field.view):
                size, position = varint(field.view, position)
                yield size


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the ones in front."""
    significant = [index for index, size in enumerate(shape) if size != 1]
    return shape[significant[0] :] if significant else ()
