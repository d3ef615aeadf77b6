"""What a Parquet file would become in memory, told from its footer and the headers of its pages [Parquet, format]."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from heatproof.errors import InputError
from heatproof.parquet.thrift import Reader, ThriftError

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


@dataclass(frozen=True)
class _Chunk:
    """A column of a row group."""

    path: tuple[str, ...]
    values: int
    begin: int
    size: int


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
        chunks = [
            chunk
            for group in footer[4]
            for chunk in map(_chunk, group[1])
            if columns is None or chunk.path[0] in columns
        ]
        unpacked = _unpacked(file, chunks, size)
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
    return Reader(file.read(length)).struct()


def _check_schema(elements: list[dict[int, Any]]) -> None:
    """Refuses types in types without end: readers go down into them."""
    if len(elements) > MOST_ELEMENTS:
        raise ThriftError(f"it has {len(elements):,} columns; expected at most {MOST_ELEMENTS:,}")
    open_: list[int] = []
    for element in elements:
        while open_ and not open_[-1]:
            open_.pop()
        if open_:
            open_[-1] -= 1
        open_.append(element.get(5, 0))
        if len(open_) > DEEPEST:
            raise ThriftError("its columns lie too deep in one another")


def _chunk(found: Mapping[int, Any]) -> _Chunk:
    about = found[3]
    begin = about.get(11) or about[9]
    if 1 in found or begin > about[9] or min(about[5], begin, about[7]) < 0:
        raise ThriftError("a column lies elsewhere")
    return _Chunk(tuple(part.decode() for part in about[3]), about[5], begin, about[7])


def _unpacked(file: BinaryIO, chunks: list[_Chunk], size: int) -> int:
    """Bytes that columns would become in memory."""
    total, pages = 0, 0
    for chunk in chunks:
        if chunk.begin + chunk.size > size:
            raise ThriftError("a column ends behind the end of the file")
        values = 0
        for kind, unpacked, count, encoding in _pages(file, chunk):
            pages += 1
            if pages > MOST_PAGES or encoding not in ENCODINGS:
                raise ThriftError(f"it has pages of encoding {encoding}, or more than {MOST_PAGES:,}")
            total += max(unpacked, VALUE * count)
            values += count if kind != DICTIONARY else 0
        if values != chunk.values:
            raise ThriftError(f"a column has {values:,} values, its footer says {chunk.values:,}")
    return total


def _pages(file: BinaryIO, chunk: _Chunk) -> Iterator[tuple[int, int, int, int]]:
    """Kind, unpacked size, number of values and encoding of each page."""
    place, end = chunk.begin, chunk.begin + chunk.size
    while place < end:
        file.seek(place)
        reader = Reader(file.read(min(MOST_HEADER, end - place)))
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
