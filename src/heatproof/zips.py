"""The directory of a zip file, before ``zipfile`` makes an object of each of its members."""

import os
from typing import BinaryIO

from heatproof.errors import InputError
from heatproof.guarded import check_size

MOST_DIRECTORY = 2**25  # bytes
MOST_MEMBERS = 2**18
END, END_64, LOCATOR_64, MEMBER = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
END_SIZE, LOCATOR_SIZE, LONGEST_COMMENT = 22, 20, 2**16


def check_directory(file: BinaryIO) -> None:
    """Refuses a zip file with so many members that their list alone would take much memory.

    Raises:
        InputError: if it has, or if it is not a zip file.
    """
    size = os.fstat(file.fileno()).st_size
    begin = max(0, size - END_SIZE - LONGEST_COMMENT)
    file.seek(begin)
    tail = file.read(END_SIZE + LONGEST_COMMENT)
    end = tail.rfind(END)
    if end < 0 or len(tail) < end + END_SIZE:
        raise InputError("it is not a zip file")
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if tail[max(0, end - LOCATOR_SIZE) : end].startswith(LOCATOR_64):
        file.seek(max(0, begin + end - LOCATOR_SIZE - 56))
        record = file.read(56)
        if not record.startswith(END_64):
            raise InputError("it is a zip file without the end of its directory")
        length = int.from_bytes(record[40:48], "little")
        end -= LOCATOR_SIZE + 56
    check_size("the directory of its members", length, MOST_DIRECTORY)
    file.seek(max(0, begin + end - length))
    count = file.read(length).count(MEMBER)
    if count > MOST_MEMBERS:
        raise InputError(f"it has {count:,} members; expected at most {MOST_MEMBERS:,}")
    file.seek(0)
