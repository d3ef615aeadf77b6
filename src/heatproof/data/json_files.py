"""JSON from elsewhere."""

import json
from pathlib import Path
from typing import Any

from heatproof.errors import InputError
from heatproof.json_objects import check_values

LARGEST = 64 * 2**20  # bytes


def read_object(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        InputError: if there is no such file, or it is too large, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"expected {path.name} in {path.parent.name!r}, found none")
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"expected at most {LARGEST:,} bytes in {path.name}")
        data = path.read_bytes()
        check_values(data, path.name)
        found = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"expected {path.name} to be JSON, got a file that cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"expected {path.name} to be an object of JSON, got {type(found).__name__}")
    return found
