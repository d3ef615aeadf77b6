"""What a Parquet file would become in memory, told from its footer and the headers of its pages [Parquet, format].

Polars and Arrow tell neither before they unpack. Both parts are structures in Thrift's compact protocol
[Thrift, doc/specs/thrift-compact-protocol.md], which is read here as far as Parquet uses it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from heatproof.errors import InputError

MAGIC = b"PAR1"
MOST_FOOTER = 2**24  # bytes
MOST_HEADER = 2**16  # bytes of a page's header
MOST_PAGES = 2**16
MOST_ELEMENTS, DEEPEST = 2**12, 16  # of the schema
SMALL, SWELLING = 2**26, 64  # bytes that any file may become; and how many times its own size a large one
VALUE = 16  # bytes of a value in memory, at most, beside what it points to
# plain, dictionaries, runs, packed bits, differences of numbers, lengths, split floats; not prefixes, which swell
ENCODINGS = {0, 2, 3, 4, 5, 6, 8, 9}
DATA, INDEX, DICTIONARY, DATA_2 = range(4)

DEEPEST_STRUCTURE, MOST_VALUES = 24, 2**19
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST = range(1, 10)
STRUCT = 12


class ThriftError(ValueError):
    """These bytes are no such structure, or a very large one."""


def check_parquet(file: BinaryIO, what: str, *, most_rows: float, columns: Collection[str] | None = None) -> int:
    """How many rows a file has; refuses what would swell.

    Args:
        file: is read from where it likes.
        what: the file is called in messages.
        most_rows: that it may have.
        columns: that will be read; all of them where none are named.

    Raises:
        InputError: if it is no Parquet file, has more rows, or would become more than 64 MB and 64 times its size.
    """
    size = file.seek(0, 2)
    try:
        footer = _footer(file, size)
        _check_schema(footer[2])
        rows = footer[3]
        if rows != sum(group[3] for group in footer[4]) or min((group[3] for group in footer[4]), default=0) < 0:
            raise ThriftError(f"its row groups do not have {rows:,} rows")
        if rows > most_rows:
            raise InputError(f"{what} has {rows:,} rows; expected at most {int(most_rows):,}")
        chunks = [chunk for group in footer[4] for chunk in group[1]]
        wanted = [chunk for chunk in chunks if columns is None or chunk[3][3][0].decode() in columns]
        unpacked = _unpacked(file, wanted, size)
    except (ThriftError, KeyError, TypeError, AttributeError, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{what} is not a Parquet file that can be read: {error}") from error
    if unpacked > max(SMALL, SWELLING * size):
        raise InputError(
            f"{what} has {size:,} bytes and would become {unpacked:,} in memory; expected at most {SWELLING} times as "
            "many"
        )
    return int(rows)


def _footer(file: BinaryIO, size: int) -> dict[int, Any]:
    if size < 12:
        raise ThriftError("it is too short")
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or not 0 < length <= size - 12:
        raise ThriftError("it has no footer")
    if length > MOST_FOOTER:
        raise ThriftError(f"its footer has {length:,} bytes; expected at most {MOST_FOOTER:,}")
    file.seek(size - 8 - length)
    return CompactReader(file.read(length)).struct()


def _check_schema(elements: Sequence[Mapping[int, Any]]) -> None:
    """Refuses types in types without end: readers go down into them."""
    if len(elements) > MOST_ELEMENTS:
        raise ThriftError(f"it has {len(elements):,} columns; expected at most {MOST_ELEMENTS:,}")
    open_: list[int] = []  # children that are still to come, at each depth
    for element in elements:
        while open_ and not open_[-1]:
            open_.pop()
        if open_:
            open_[-1] -= 1
        open_.append(element.get(5, 0))
        if len(open_) > DEEPEST:
            raise ThriftError("its columns lie too deep in one another")


def _unpacked(file: BinaryIO, chunks: Sequence[Mapping[int, Any]], size: int) -> int:
    """Bytes that columns of row groups would become in memory."""
    total, pages = 0, 0
    for chunk in chunks:
        about = chunk[3]
        begin, length = about.get(11) or about[9], about[7]
        if 1 in chunk or begin > about[9] or min(about[5], begin, length) < 0:
            raise ThriftError("a column lies elsewhere")
        if begin + length > size:
            raise ThriftError("a column ends behind the end of the file")
        values = 0
        for kind, unpacked, count, encoding in _pages(file, begin, begin + length):
            pages += 1
            if pages > MOST_PAGES or encoding not in ENCODINGS:
                raise ThriftError(f"it has pages of encoding {encoding}, or more than {MOST_PAGES:,}")
            total += max(unpacked, VALUE * count)
            values += count if kind != DICTIONARY else 0
        if values != about[5]:
            raise ThriftError(f"a column has {values:,} values, its footer says {about[5]:,}")
    return total


def _pages(file: BinaryIO, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Kind, unpacked size, number of values and encoding of each page."""
    while place < end:
        file.seek(place)
        reader = CompactReader(file.read(min(MOST_HEADER, end - place)))
        header = reader.struct()
        kind, unpacked, packed = header[1], header[2], header[3]
        if min(unpacked, packed) < 0:
            raise ThriftError("a page has a size below 0")
        if kind != INDEX:
            about = header[{DATA: 5, DICTIONARY: 7, DATA_2: 8}[kind]]
            count, encoding = about[1], about[4 if kind == DATA_2 else 2]
            if count < 0:
                raise ThriftError("a page has fewer than 0 values")
            yield kind, unpacked, count, encoding
        place += reader.place + packed
    if place != end:
        raise ThriftError("a page ends behind the end of its column")


class CompactReader:
    """Reads one structure after the other; fields by their numbers. Parquet has no sets and maps.

    >>> CompactReader(bytes([0x15, 0x0E, 0x00])).struct()
    {1: 7}
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.place, self._seen = data, 0, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The structure that begins here; of a field that comes twice, the last one."""
        if depth > DEEPEST_STRUCTURE:
            raise ThriftError("its structures lie too deep in one another")
        found: dict[int, Any] = {}
        number = 0
        while head := self._bytes(1)[0]:
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            found[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:  # noqa: ANN401 - whatever a field holds
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise ThriftError(f"it has more than {MOST_VALUES:,} values")
        if kind in (TRUE, FALSE, BYTE):
            return self._bytes(1)[0]
        if kind in (I16, I32, I64):
            return self._signed()
        if kind in (DOUBLE, BINARY):
            return self._bytes(8 if kind == DOUBLE else self._number())
        if kind == LIST:
            head = self._bytes(1)[0]
            count = self._number() if head >> 4 == 15 else head >> 4
            if count > len(self._data) - self.place or depth > DEEPEST_STRUCTURE:
                raise ThriftError(f"it is too short for a list of {count:,} values")
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise ThriftError(f"it has a value of kind {kind}")

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)

    def _number(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._bytes(1)[0]
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise ThriftError("it has a number of more than 64 bits")

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self.place:
            raise ThriftError("it ends too early")
        self.place += count
        return self._data[self.place - count : self.place]
