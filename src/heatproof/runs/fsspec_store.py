"""Objects under any URL that fsspec has a file system for.

Object stores put whole objects by themselves; on other URLs an object is written to a temporary name and moved, which
is as whole as their moves are.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from heatproof.errors import InputError
from heatproof.guarded import check_size
from heatproof.runs.atomic_files import LEFTOVER
from heatproof.runs.objects import (
    KEPT,
    LARGEST_OBJECT,
    MissingError,
    Store,
    StoreError,
    checked_name,
    is_name,
)

PUTS_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"})
AT_ONCE = 64  # objects


class FsspecStore(Store):
    """Objects under a URL, by fsspec's file system for it; credentials are found as that file system finds them.

    >>> store = FsspecStore("memory://example/run")
    >>> store.put("shards/00000.json", b"{}")
    >>> store.names("shards/"), store.get("shards/00000.json"), store.within("shards").names()
    (['shards/00000.json'], b'{}', ['00000.json'])
    """

    def __init__(self, url: str) -> None:
        scheme, _, place = url.partition("://")
        if not place.strip("/"):
            raise InputError(f"expected a URL like s3://bucket/run, got {url!r}")
        self.url = url.rstrip("/")
        self.description = re.sub(r"://([^/:@]*):[^/@]*@", r"://\1@", self.url)  # no passwords in messages
        self._puts_whole = scheme.lower() in PUTS_WHOLE_OBJECTS
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise InputError(f'{self} needs the package fsspec: pip install "heatproof[remote]"') from error
        try:
            self._system, root = url_to_fs(self.url)  # what is missing is said now, not after hours
        except (ImportError, ValueError) as error:  # the file system's package is missing; no such protocol
            raise InputError(f"{self} cannot be opened: {error}") from error
        self._root = root.rstrip("/")

    def put(self, name: str, data: bytes) -> None:
        """One put of the whole object, or a temporary object that is moved."""
        path = self._path(name)
        with self._service_errors("written", name):
            if self._puts_whole:
                self._system.pipe_file(path, data)
                return
            folder = path.rpartition("/")[0]
            temporary = f"{folder}/.{secrets.token_hex(16)}.partial"
            self._system.makedirs(folder, exist_ok=True)
            try:
                self._system.pipe_file(temporary, data)
                self._system.mv(temporary, path)
            except BaseException:
                with suppress(Exception):
                    self._system.rm_file(temporary)
                raise

    def get(self, name: str, *, at_most: int = LARGEST_OBJECT) -> bytes:
        """Asks for one byte more than may come."""
        (found,) = self.get_each([name], at_most=at_most)
        if isinstance(found, InputError):
            raise found
        return found

    def get_each(self, names: Sequence[str], *, at_most: int = LARGEST_OBJECT) -> Iterator[bytes | InputError]:
        """Some at a time, by calls that ask for them at the same time where the file system can."""
        together = max(1, min(AT_ONCE, LARGEST_OBJECT // at_most))
        for begin in range(0, len(names), together):
            some = names[begin : begin + together]
            paths = [self._path(name) for name in some]
            found: list[bytes | InputError] = []
            with self._service_errors("read", some[0] + " …" * (len(some) > 1)):
                came = self._system.cat_ranges(paths, [0] * len(paths), [at_most + 1] * len(paths), on_error="return")
                for name, one in zip(some, came, strict=True):
                    try:
                        found.append(self._checked(name, one, at_most))
                    except InputError as error:
                        found.append(error)
            yield from found

    def _checked(self, name: str, came: bytes | Exception, at_most: int) -> bytes:
        if isinstance(came, FileNotFoundError):
            raise MissingError(f"{self} has no {name!r}")
        if isinstance(came, bytes) and len(came) <= at_most:
            return came
        size = self._system.size(self._path(name))
        if isinstance(came, bytes):
            check_size(f"{name!r} of {self}", max(size or 0, len(came)), at_most)
        elif size != 0:  # some services have no ranges of nothing
            raise came
        return b""

    def exists(self, name: str) -> bool:
        """Whether there is an object, asked anew."""
        path = self._path(name)
        with self._service_errors("read", name):
            self._system.invalidate_cache()
            return bool(self._system.isfile(path))

    def names(self, prefix: str = "") -> list[str]:
        """Names of all objects below the URL, listed anew."""
        folder = prefix.rpartition("/")[0]
        with self._service_errors("read", prefix):
            paths = self._find(self._path(folder) if folder else self._root)
        found = (path.removeprefix(self._root + "/") for path in paths)
        return sorted(name for name in found if name.startswith(prefix) and is_name(name))

    def delete(self, name: str) -> None:
        """Removes the object."""
        path = self._path(name)
        with self._service_errors("deleted", name), suppress(FileNotFoundError):
            self._system.rm_file(path)

    def sweep(self) -> int:
        """Removes temporary objects."""
        with self._service_errors("read", ""):
            leftovers = [path for path in self._find(self._root) if LEFTOVER.fullmatch(path)]
            for path in leftovers:
                self._system.rm_file(path)
        return len(leftovers)

    def within(self, folder: str) -> "FsspecStore":
        """The store of a longer URL."""
        return FsspecStore(f"{self.url}/{checked_name(folder)}")

    def _path(self, name: str) -> str:
        return f"{self._root}/{checked_name(name)}"

    def _find(self, folder: str) -> list[str]:
        self._system.invalidate_cache()
        with suppress(FileNotFoundError):
            return list(self._system.find(folder))
        return []

    @contextmanager
    def _service_errors(self, done: str, name: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # every service has exceptions of its own
            raise StoreError(f"{self}/{name} could not be {done}: {type(error).__name__}: {error}; {KEPT}") from error
