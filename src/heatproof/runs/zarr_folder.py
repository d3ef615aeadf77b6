"""Zarr in a folder of a run."""

import asyncio
import os
from pathlib import Path
from typing import Self

import zarr.storage
from zarr.core.buffer import Buffer

from heatproof.errors import InputError
from heatproof.runs.ledger import check_replaceable
from heatproof.runs.store import told, write_noted


class ZarrFolder(zarr.storage.LocalStore):
    """Zarr's own store for folders, but chunks are written and deleted as a run's other files are.

    A chunk reaches the disk before its name does: a marker says that a shard is complete, heatmaps included, and that
    must hold after a power failure, too.

    Args:
        root: the folder of the arrays.
        run: the folder of the run, which has the ledger.
        read_only: as Zarr has it.

    Raises:
        InputError: if a file would be replaced or deleted that heatproof did not write.
        StoreError: if the disk refuses.
    """

    def __init__(self, root: Path, run: Path, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._run = run

    def with_read_only(self, read_only: bool = False) -> Self:
        """The same folder, which may or may not be written."""
        return type(self)(self.root, self._run, read_only=read_only)

    async def set(self, key: str, value: Buffer) -> None:
        """Writes a chunk or metadata."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """The same for callers that do not wait."""
        self._check_writable()
        write_noted(self._run, self._name(key), value.to_bytes())

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Writes what is not there yet; one process writes the metadata of a run."""
        if not (self.root / key).exists():
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Deletes a chunk; Zarr does where every value is the one that is not written."""
        self.delete_sync(key)

    def delete_sync(self, key: str) -> None:
        """The same for callers that do not wait."""
        self._check_writable()
        name = self._name(key)
        with told("deleted", self._run / name):
            check_replaceable(self._run, name)
            (self._run / name).unlink(missing_ok=True)

    async def delete_dir(self, prefix: str) -> None:
        """Deletes nothing: what is there is written again, or somebody else's."""

    async def clear(self) -> None:
        """As :meth:`delete_dir`."""

    def _name(self, key: str) -> str:
        """The name of a chunk in the run."""
        path = self.root / key
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            raise InputError(f"{str(path)!r} is a link that leads out of the folder; take the link away")
        return path.relative_to(self._run).as_posix()
