"""Zarr in a folder of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from heatproof.chunked.metadata import Source, is_array
from heatproof.errors import InputError
from heatproof.guarded import read_regular

MOST_ENTRIES = 2**20  # files and folders that are looked at
DEEPEST = 8


class ZarrFolder:
    """A folder, as a source of keys: links that lead out of it, pipes and devices are refused."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, key: str, at_most: int) -> bytes | None:
        """What lies at a key."""
        if ".." in key.split("/"):
            raise InputError(f"{key!r} leads out of {str(self.path)!r}")
        path = self.path / key
        try:
            return read_regular(path, f"{key!r} of {str(self.path)!r}", at_most=at_most, inside=self.path)
        except FileNotFoundError:
            return None

    def arrays(self) -> tuple[str, ...]:
        """Paths of all arrays, sorted; links are not followed."""
        return tuple(sorted(self._arrays()))

    def _arrays(self) -> Iterator[str]:
        pending, seen = [("", 0)], 0
        while pending:
            inside, depth = pending.pop()
            with os.scandir(self.path / inside) as found:
                entries = []
                for entry in found:
                    entries.append(entry)
                    seen += 1
                    if seen > MOST_ENTRIES:
                        raise InputError(f"{str(self.path)!r} holds more than {MOST_ENTRIES:,} files and folders")
            names = {entry.name for entry in entries}
            if inside and _is_array(self, inside, names):
                yield inside
            elif depth < DEEPEST:
                folders = (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
                pending.extend((f"{inside}/{name}" if inside else name, depth + 1) for name in folders)


def _is_array(source: Source, path: str, names: set[str]) -> bool:
    return bool(names & {"zarr.json", ".zarray"}) and is_array(source, path)
