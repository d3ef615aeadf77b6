"""Zarr in a folder of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from heatproof.chunked.metadata import is_array
from heatproof.errors import InputError
from heatproof.guarded import read_regular

MOST_ENTRIES = 2**23  # files and folders that are looked at


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
        with_metadata = (folder for folder, names in _folders(self.path) if names & {"zarr.json", ".zarray"})
        inside = [folder.relative_to(self.path).as_posix() for folder in with_metadata if folder != self.path]
        return tuple(sorted(path for path in inside if is_array(self, path)))


def files_below(folder: Path) -> Iterator[Path]:
    """All files in a folder and its folders, whatever they are; links to folders are files here."""
    for inside, names in _folders(folder):
        yield from (inside / name for name in names)


def _folders(folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """Folders, and the names of what is in them and no folder."""
    seen = 0
    for inside, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(inside) / name).is_symlink()]
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise InputError(f"{str(folder)!r} holds more than {MOST_ENTRIES:,} files and folders")
        yield Path(inside), {*names, *links}
