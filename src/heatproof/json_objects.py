"""Objects of JSON that strangers may have made."""

import json
from typing import Any

from heatproof.errors import InputError

MOST_VALUES = 5_000_000
SHOWN = 80  # characters of a value in a message
LARGEST_NUMBER = 10**12  # in a message


def json_object(data: bytes, name: str, *, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """The JSON object that these bytes hold.

    >>> json_object(b'{"size": 3}', "small.json")
    {'size': 3}
    >>> json_object(b"[3]", "small.json")
    Traceback (most recent call last):
    heatproof.errors.InputError: small.json: an object was expected, got a list

    Raises:
        InputError: if they hold none, or one of more values; the message begins with ``name``.
    """
    check_values(data, name, most_values)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: it is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{name}: an object was expected, got {shown(found)}")
    return found


def check_values(data: bytes, name: str, most: int = MOST_VALUES) -> None:
    """Refuses JSON of more values, counted before any is made: each takes up to 200 bytes of memory."""
    if sum(map(data.count, (b",", b"[", b"{"))) > most:
        raise InputError(f"{name}: expected at most {most:,} values, it has more")


def shown(value: object) -> str:
    """A value of JSON in a message."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return "a number beyond all bounds"
    return "nothing" if value is None else repr(value)[:SHOWN]
