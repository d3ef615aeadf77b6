"""Structures in Thrift's compact protocol, within bounds [Thrift, doc/specs/thrift-compact-protocol.md]."""

from typing import Any

DEEPEST = 24
MOST_VALUES = 2**19

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class ThriftError(ValueError):
    """These bytes are no such structure, or a very large one."""


class Reader:
    """Reads one structure after the other; fields by their numbers.

    >>> Reader(bytes([0x15, 0x0E, 0x00])).struct()
    {1: 7}
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.place, self._seen = data, 0, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The structure that begins here; of a field that comes twice, the last one."""
        if depth > DEEPEST:
            raise ThriftError("its structures lie too deep in one another")
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._integer()
            found[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401 - whatever a field holds
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise ThriftError(f"it has more than {MOST_VALUES:,} values")
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (I16, I32, I64):
            return self._integer()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._number())
        if kind in (LIST, SET):
            return self._list(depth)
        if kind == MAP:
            return self._map(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise ThriftError(f"it has a value of kind {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        count = self._number() if count == 15 else count
        if count > len(self._data) - self.place or depth > DEEPEST:
            raise ThriftError(f"it is too short for a list of {count:,} values")
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> list[Any]:
        count = self._number()
        if count > len(self._data) - self.place or depth > DEEPEST:
            raise ThriftError(f"it is too short for a map of {count:,} values")
        kinds = self._byte() if count else 0
        return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)]

    def _integer(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)

    def _number(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise ThriftError("it has a number of more than 64 bits")

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise ThriftError("it ends too early")
        self.place += 1
        return self._data[self.place - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self.place:
            raise ThriftError("it ends too early")
        self.place += count
        return self._data[self.place - count : self.place]
