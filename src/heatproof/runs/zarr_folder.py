"""Zarr in a folder of a run."""

import asyncio
import os
from pathlib import Path

import zarr.storage
from zarr.core.buffer import Buffer

from heatproof.errors import InputError
from heatproof.runs.store import put_whole


class ZarrFolder(zarr.storage.LocalStore):
    """Zarr's own store for folders, but a chunk reaches the disk before its name does, as a shard's other objects do.

    A marker says that a shard is whole, heatmaps included: that must be so after a power failure, too.

    Raises:
        StoreError: if the disk refuses.
    """

    async def set(self, key: str, value: Buffer) -> None:
        """Writes a chunk or metadata."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """The same for callers that do not wait."""
        self._check_writable()
        path = self.root / key
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            raise InputError(f"{str(path)!r} is a link that leads out of the folder; take the link away")
        put_whole(path, value.to_bytes())
