"""Files appear whole or not at all."""

import secrets
from pathlib import Path

from heatproof.errors import InputError


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes beside the target and renames, so that no reader ever meets half a file."""
    if not path.parent.is_dir():
        raise InputError(
            f"expected a folder to write {path.name!r} into, but {path.parent} does not exist; create it first"
        )
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
