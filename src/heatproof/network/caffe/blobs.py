"""Caffe's binary files: the weights of a ``.caffemodel`` and the mean of a ``.binaryproto``.

Both are messages of protocol buffers, whose fields have numbers. They are read where they lie in the file.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from heatproof.errors import InputError

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # kinds of values
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
    data = _mapped(path, "weights", ".caffemodel")
    found: dict[str, list[Blob]] = {}
    try:
        for field in wire_fields(data):
            if field.number in (_NET_LAYERS, _NET_LAYER) and field.kind == BYTES:
                name, blobs = _layer(field)
                if blobs:
                    found[name] = blobs
                if len(found) > MOST_LAYERS:
                    raise InputError(f"it has more than {MOST_LAYERS:,} layers with weights")
    except InputError as error:
        raise InputError(f"{path.name} is not a complete .caffemodel: {error}") from None
    if not found:
        raise InputError(f"{path.name} is no .caffemodel with weights: no layer in it has any")
    return found


def read_mean(path: Path) -> tuple[float, ...]:
    """The mean of each channel (BGR, 0 to 255) of a mean image or of single values, from a ``.binaryproto``.

    A mean image is averaged over its positions, as in Caffe's own classification example.

    Raises:
        InputError: if the file is missing, or holds no mean of one or three channels.
    """
    data = _mapped(path, "mean", ".binaryproto")
    try:
        blob = _blob(data)
    except InputError as error:
        raise InputError(f"{path.name} is not a complete .binaryproto: {error}") from None
    sizes = _without_ones(blob.shape) if blob.values.size == 3 else (1, 1, 1, *blob.shape)[-3:]
    channels = sizes[0]  # (channels, height, width), or the channels alone
    if channels not in (1, 3) or prod(sizes) != blob.values.size:
        raise InputError(f"{path.name} must hold a mean of one or three channels, got an array {blob.shape}")
    mean = blob.values.reshape(channels, -1).mean(axis=1, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise InputError(f"{path.name} holds a mean that is not finite: {mean.tolist()}")
    return tuple(mean.tolist())


def _mapped(path: Path, what: str, kind: str) -> memoryview:
    """The bytes of a file, read when they are looked at."""
    if not path.is_file():
        raise InputError(f"{what}: there is no file {str(path)!r}")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is not a complete {kind}: it is empty")
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(data[:4]) == b"\x89HDF":
        other = "Caffe's upgrade_net_proto_binary writes the other form"
        raise InputError(f"{path.name} is not a complete {kind}: it is an HDF5 file; {other}")
    return data


class WireField(NamedTuple):
    """One field of a message; the value of a varint is a number, any other is a view of the file's bytes."""

    number: int
    kind: int
    value: int | memoryview

    @property
    def view(self) -> memoryview:
        """The bytes of a message, a text, or packed numbers."""
        if isinstance(self.value, int):
            raise InputError(f"field {self.number} must be a message, a text, or packed numbers")
        return self.value


def wire_fields(data: memoryview) -> Iterator[WireField]:
    r"""The fields of a message, in order.

    Raises:
        InputError: where the bytes are no message, or end within a field.

    >>> [(field.number, bytes(field.view)) for field in wire_fields(memoryview(b"\x0a\x02hi"))]
    [(1, b'hi')]
    """
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise InputError("a field has the number 0, which no message has")
        if kind not in (VARINT, BYTES, FOUR_BYTES, EIGHT_BYTES):
            raise InputError(f"field {number} has the wire type {kind}, which Caffe's files do not have")
        size = {FOUR_BYTES: 4, EIGHT_BYTES: 8}.get(kind, 0)
        if not size:
            size, position = _varint(data, position)  # or the value itself
        if kind == VARINT:
            yield WireField(number, kind, size)
            continue
        if size > len(data) - position:
            raise InputError(f"field {number} should have {size} bytes, and {len(data) - position} are left")
        yield WireField(number, kind, data[position : position + size])
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A whole number of seven bits a byte, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise InputError("the bytes end within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise InputError("a number has more than ten bytes")


def _layer(field: WireField) -> tuple[str, list[Blob]]:
    """Name and blobs of one layer."""
    old = field.number == _NET_LAYERS
    named, holding = (_OLD_NAME, _OLD_BLOBS) if old else (_NEW_NAME, _NEW_BLOBS)
    name = "without a name"
    blobs = []
    try:
        for part in wire_fields(field.view):
            if part.number == named:
                name = bytes(part.view).decode(errors="replace")
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
    sizes: dict[int, int] = dict.fromkeys(_BLOB_SIZES, 1)
    shape: tuple[int, ...] | None = None
    held: memoryview | bytearray = memoryview(b"")
    dtype = "<f4"
    for field in wire_fields(data):
        if field.number in sizes:
            if not isinstance(field.value, int):
                raise InputError(f"field {field.number} must be a whole number")
            sizes[field.number] = field.value
        elif field.number == _BLOB_SHAPE:
            shape = tuple(islice(_dimensions(field.view), MOST_AXES + 1))
        elif field.number in (_BLOB_DATA, _BLOB_DOUBLE):
            dtype, held = _longer(dtype, held, field)
    shape = tuple(sizes.values()) if shape is None else shape
    if len(shape) > MOST_AXES:
        raise InputError(f"an array has more than {MOST_AXES} sizes")
    values = np.frombuffer(held, dtype)
    if prod(shape) != values.size or not values.size:
        raise InputError(f"an array {shape} should hold {prod(shape)} numbers (one at least), got {values.size}")
    return Blob(shape, values)


def _longer(before: str, held: memoryview | bytearray, field: WireField) -> tuple[str, memoryview | bytearray]:
    """Type and bytes of numbers, with those of one more field: packed ones, or one alone."""
    dtype, size, kind = ("<f4", 4, FOUR_BYTES) if field.number == _BLOB_DATA else ("<f8", 8, EIGHT_BYTES)
    if field.kind not in (kind, BYTES) or len(field.view) % size:
        raise InputError(f"field {field.number} must hold numbers of {size} bytes each")
    if not held:
        return dtype, field.view
    if dtype != before:
        raise InputError("an array holds numbers of four and of eight bytes")
    held = bytearray(held) if isinstance(held, memoryview) else held
    held += field.view
    return dtype, held


def _dimensions(data: memoryview) -> Iterator[int]:
    """The sizes of a shape, packed or one by one."""
    for field in wire_fields(data):
        if field.number == _SHAPE_DIM and isinstance(field.value, int):
            yield field.value
        elif field.number == _SHAPE_DIM:
            position = 0
            while position < len(field.view):
                size, position = _varint(field.view, position)
                yield size


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the ones in front."""
    return tuple(dropwhile(lambda size: size == 1, shape))
