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
from heatproof.guarded import check_size
from heatproof.runs.ledger import LEFTOVER
from heatproof.runs.objects import KEPT, LARGEST_OBJECT, Store, StoreError, checked_name, folder_of, is_name, missing

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PUTS_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})
AT_ONCE = 64  # objects


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

    def get(self, name: str, *, at_most: int = LARGEST_OBJECT) -> bytes:
        """Asks for one byte more than may come."""
        return self.get_many([name], at_most=at_most)[0]

    def get_many(self, names: Sequence[str], *, at_most: int = LARGEST_OBJECT) -> list[bytes]:
        """Some at a time, by calls that ask for them at the same time where the file system can."""
        found: list[bytes] = []
        total = 0
        together = max(1, min(AT_ONCE, LARGEST_OBJECT // at_most))
        for begin in range(0, len(names), together):
            found += self._ranges(names[begin : begin + together], at_most)
            total += sum(map(len, found[begin:]))
            check_size(f"{len(found)} of {len(names)} objects of {self}", total, LARGEST_OBJECT)
        return found

    def _ranges(self, names: Sequence[str], at_most: int) -> list[bytes]:
        paths = [self._path(name) for name in names]
        with self._told("read", names[0] + " …" * (len(names) > 1)):
            came = self._system.cat_ranges(paths, [0] * len(paths), [at_most + 1] * len(paths), on_error="return")
            return [self._whole(name, path, one, at_most) for name, path, one in zip(names, paths, came, strict=True)]

    def _whole(self, name: str, path: str, came: bytes | Exception, at_most: int) -> bytes:
        if isinstance(came, FileNotFoundError):
            raise missing(self, name) from None
        if isinstance(came, Exception):
            if self._system.size(path) == 0:  # some services have no ranges of nothing
                return b""
            raise came
        if len(came) > at_most:
            check_size(f"{name!r} of {self}", max(self._system.size(path) or 0, len(came)), at_most)
        return came

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
        """Removes temporary objects."""
        with self._told("read", ""):
            leftovers = [path for path in self._find(self._root) if LEFTOVER.fullmatch(path)]
            for path in leftovers:
                self._system.rm_file(path)
        return len(leftovers)

    def append(self, name: str, line: bytes) -> bool:
        """Objects are whole: no."""
        return False

    def local_path(self, name: str) -> None:
        """None: it lies elsewhere."""
        checked_name(name)

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
