"""The binary form of protocol buffers, as far as Caffe's files need it: fields by number, read where they lie."""

from collections.abc import Iterator
from typing import NamedTuple

from heatproof.errors import InputError

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
_SIZES = {EIGHT_BYTES: 8, FOUR_BYTES: 4}


class Field(NamedTuple):
    """One field of a message; the value of a varint is a number, any other is a view of the file's bytes."""

    number: int
    kind: int
    value: int | memoryview

    @property
    def whole(self) -> int:
        """The value of a varint."""
        if not isinstance(self.value, int):
            raise InputError(f"field {self.number} must be a whole number")
        return self.value

    @property
    def view(self) -> memoryview:
        """The bytes of a message, a text, or packed numbers."""
        if isinstance(self.value, int):
            raise InputError(f"field {self.number} must be a message, a text, or packed numbers")
        return self.value


def fields(data: memoryview) -> Iterator[Field]:
    r"""The fields of a message, in order.

    Raises:
        InputError: where the bytes are no message, or end within a field.

    >>> [(field.number, bytes(field.view)) for field in fields(memoryview(b"\x0a\x02hi"))]
    [(1, b'hi')]
    """
    position = 0
    while position < len(data):
        tag, position = varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise InputError("a field has the number 0, which no message has")
        if kind == VARINT:
            value, position = varint(data, position)
            yield Field(number, kind, value)
            continue
        if kind == BYTES:
            size, position = varint(data, position)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise InputError(f"field {number} has the wire type {kind}, which Caffe's files do not have")
        if size > len(data) - position:
            raise InputError(f"field {number} should have {size} bytes, and {len(data) - position} are left")
        yield Field(number, kind, data[position : position + size])
        position += size


def varint(data: memoryview, position: int) -> tuple[int, int]:
    r"""A whole number of seven bits a byte, and the position behind it.

    >>> varint(memoryview(b"\xac\x02"), 0)
    (300, 2)
    """
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


def text(data: memoryview) -> str:
    """A text; bytes that are no UTF-8 are replaced."""
    return bytes(data).decode("utf-8", errors="replace")
