"""Objects of JSON that strangers may have made."""

import json
from pathlib import Path
from typing import Any

from heatproof.errors import InputError
from heatproof.guarded import read_regular

MOST_VALUES = 5_000_000
LARGEST_FILE = 2**26  # bytes
SHOWN = 80  # characters of a value in a message
LARGEST_NUMBER = 10**12  # in a message


def json_object(data: bytes, name: str, *, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """The JSON object that these bytes hold.

    >>> json_object(b'{"size": 3}', "small.json")
    {'size': 3}
    >>> json_object(b"[3]", "small.json")
    Traceback (most recent call last):
    heatproof.errors.InputError: small.json: expected an object, got a list

    Raises:
        InputError: if they hold none, or one of more values; the message begins with ``name``.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > most_values:  # before any is made: each takes up to 200 bytes
        raise InputError(f"{name}: expected at most {most_values:,} values, it has more")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: it is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{name}: expected an object, got {shown(found)}")
    return found


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object that a regular file of at most 64 MB holds.

    Raises:
        InputError: if there is no such file, or it holds something else.
    """
    try:
        return json_object(read_regular(path, repr(path.name), at_most=LARGEST_FILE), path.name)
    except OSError as error:
        raise InputError(f"expected {path.name} in {path.parent.name!r}, found none: {error.strerror}") from error


def shown(value: object) -> str:
    """A value of JSON in a message."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return "a number beyond all bounds"
    return "nothing" if value is None else repr(value)[:SHOWN]
