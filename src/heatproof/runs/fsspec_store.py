"""Objects under any URL that fsspec has a file system for.

Object stores put whole objects by themselves; on other URLs an object is written to a temporary name and moved, which
is as whole as their moves are.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from heatproof.errors import InputError
from heatproof.runs.ledger import LEFTOVER
from heatproof.runs.objects import KEPT, Store, StoreError, checked_name, folder_of, is_name, missing

if TYPE_CHECKING:
    import zarr.abc.store
    from fsspec import AbstractFileSystem

PUTS_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})


class FsspecStore(Store):
    """Objects under a URL, by fsspec's file system for it; credentials are found as that file system finds them.

    >>> store = FsspecStore("memory://example/run")
    >>> store.put("shards/00000.json", b"{}")
    >>> store.names("shards/"), store.get("shards/00000.json")
    (['shards/00000.json'], b'{}')
    """

    def __init__(self, url: str) -> None:
        if not url.partition("://")[2].strip("/"):
            raise InputError(f"{url!r} names no place: expected a URL like s3://bucket/run")
        self.url = url.rstrip("/")
        self.description = re.sub(r"://([^/:@]*):[^/@]*@", r"://\1@", self.url)  # no passwords in messages
        _ = self._root  # what is missing is said now, not after hours

    def put(self, name: str, data: bytes) -> None:
        """One put of the whole object, or a temporary object that is moved."""
        path = self._path(name)
        with self._told("written", name):
            if self.url.split("://")[0].lower() in PUTS_WHOLE_OBJECTS:
                self._system.pipe_file(path, data)
                return
            temporary = f"{path.rpartition('/')[0]}/.{secrets.token_hex(16)}.partial"
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self._system.pipe_file(temporary, data)
                self._system.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    self._system.rm_file(temporary)
                raise

    def get(self, name: str) -> bytes:
        """Reads the whole object."""
        path = self._path(name)
        with self._told("read", name):
            try:
                content: bytes = self._system.cat_file(path)
            except FileNotFoundError:
                raise missing(self, name) from None
        return content

    def get_many(self, names: Sequence[str]) -> list[bytes]:
        """By one call, which asks for many at the same time where the file system can."""
        if not names:
            return []
        with self._told("read", f"{names[0]} …"):
            try:
                found = self._system.cat([self._path(name) for name in names])
            except FileNotFoundError as error:
                raise InputError(f"{self} has lost an object: {error}") from None
            return [found[self._path(name)] for name in names]

    def exists(self, name: str) -> bool:
        """Whether there is an object, asked anew."""
        path = self._path(name)
        with self._told("read", name):
            self._system.invalidate_cache()
            return bool(self._system.isfile(path))

    def names(self, prefix: str = "") -> list[str]:
        """Names of all objects below the URL, listed anew."""
        folder = folder_of(prefix)
        with self._told("read", prefix):
            found = (
                path.removeprefix(self._root + "/") for path in self._find(self._path(folder) if folder else self._root)
            )
            return sorted(name for name in found if name.startswith(prefix) and is_name(name))

    def delete(self, name: str) -> None:
        """Removes the object."""
        path = self._path(name)
        with self._told("deleted", name), suppress(FileNotFoundError):
            self._system.rm_file(path)

    def sweep(self) -> int:
        """Removes temporary objects, ours and Zarr's."""
        with self._told("read", ""):
            leftovers = [path for path in self._find(self._root) if LEFTOVER.fullmatch(path)]
            for path in leftovers:
                self._system.rm_file(path)
        return len(leftovers)

    def local_path(self, name: str) -> None:
        """None: it lies elsewhere."""
        checked_name(name)

    def zarr_store(self, name: str) -> "zarr.abc.store.Store":
        """By Zarr's own store for fsspec's file systems."""
        import zarr.storage  # half a second

        return zarr.storage.FsspecStore.from_url(f"{self.url}/{checked_name(name)}")

    def __reduce__(self) -> tuple[Callable[[str], "FsspecStore"], tuple[str]]:
        return FsspecStore, (self.url,)

    @cached_property
    def _system_and_root(self) -> tuple["AbstractFileSystem", str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise InputError(f'{self} needs the package fsspec: pip install "heatproof[remote]"') from error
        try:
            system, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:  # the file system's package is missing; no such protocol
            raise InputError(f"{self} cannot be opened: {error}") from error
        return system, root.rstrip("/")

    @property
    def _system(self) -> "AbstractFileSystem":
        return self._system_and_root[0]

    @property
    def _root(self) -> str:
        return self._system_and_root[1]

    def _path(self, name: str) -> str:
        return f"{self._root}/{checked_name(name)}"

    def _find(self, folder: str) -> list[str]:
        self._system.invalidate_cache()
        with suppress(FileNotFoundError):
            return list(self._system.find(folder))
        return []

    @contextmanager
    def _told(self, done: str, name: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # every service has exceptions of its own
            raise StoreError(f"{self}/{name} could not be {done}: {type(error).__name__}: {error}; {KEPT}") from error
