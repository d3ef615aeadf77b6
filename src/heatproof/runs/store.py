"""The store in a folder, and how a folder or a URL is opened as a store."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from urllib.parse import unquote

from heatproof.errors import InputError
from heatproof.guarded import read_regular
from heatproof.runs.atomic_files import LEFTOVER, append_line, disk_errors, sync_folder
from heatproof.runs.fsspec_store import FsspecStore
from heatproof.runs.ledger import check_replaceable, note, write_noted
from heatproof.runs.objects import LARGEST_OBJECT, MissingError, Store, checked_name, is_name

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+:/.*", re.DOTALL)


def open_store(place: str | Path) -> Store:
    """Opens a folder, or a URL given as text; nothing is made or changed there yet.

    >>> open_store("memory://example"), open_store("runs/first"), open_store("file:///tmp/a%20run")
    (FsspecStore('memory://example'), LocalStore('runs/first'), LocalStore('/tmp/a run'))

    Raises:
        InputError: for a URL that nobody can open, several URLs in one, or a URL that was made a path.
    """
    text = str(place)
    if not URL.fullmatch(text):
        return LocalStore(Path(place))
    scheme, slashes, rest = text.partition("://")
    if isinstance(place, Path) or not slashes:
        raise InputError(
            f"{text!r} is neither a folder nor a URL: expected a URL as text, with two slashes after its colon"
        )
    if "::" in text:
        raise InputError(f"{text!r} holds several URLs; expected one")
    if scheme.lower() in ("file", "local"):
        return LocalStore(Path(unquote(rest)))
    return FsspecStore(text)


class LocalStore(Store):
    """Objects are files of a folder, which the first ``put`` makes. Its ledger, where it has one, names them.

    >>> import tempfile
    >>> store = LocalStore(Path(tempfile.mkdtemp()) / "run")
    >>> store.put("shards/00000.json", b"{}")
    >>> store.names("shards/"), store.get("shards/00000.json"), store.within("shards").names()
    (['shards/00000.json'], b'{}', ['00000.json'])
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.description = str(path)
        self._root, self._prefix = self.path, ""  # where the ledger lies, and what names begin with there
        self._inside = os.path.join(os.path.realpath(self.path), "")  # noqa: PTH118 - with a slash at its end
        self._appended: dict[Path, tuple[int, int, int] | None] = {}  # files as this store left them

    def put(self, name: str, data: bytes) -> None:
        """Temporary file, fsync, rename, fsync of the folder; InputError if another's file would be replaced."""
        self.local_path(name)
        write_noted(self._root, self._prefix + name, data)

    def get(self, name: str, *, at_most: int = LARGEST_OBJECT) -> bytes:
        """Reads a regular file; nothing else, which might never end."""
        path = self.local_path(name)
        with disk_errors("read", path):
            try:
                return read_regular(path, f"{name!r} of {self}", at_most=at_most, inside=self._root)
            except FileNotFoundError:
                raise MissingError(f"{self} has no {name!r}") from None

    def exists(self, name: str) -> bool:
        """Whether a regular file is there."""
        path = self.local_path(name)
        with disk_errors("read", path):
            return path.is_file()

    def names(self, prefix: str = "") -> list[str]:
        """Names of all that may be objects, folders apart; links to folders are not followed."""
        inside = prefix.rpartition("/")[0]
        folder = self.local_path(inside) if inside else self.path
        with disk_errors("read", folder):
            found = [f"{inside}/{path}" if inside else path for path in _files(folder)]
        return sorted(name for name in found if name.startswith(prefix) and is_name(name))

    def delete(self, name: str) -> None:
        """Unlinks the file, and brings that to the disk."""
        path = self.local_path(name)
        with disk_errors("deleted", path), suppress(FileNotFoundError):
            check_replaceable(self._root, self._prefix + name)
            path.unlink()
            sync_folder(path.parent)

    def sweep(self) -> int:
        """Unlinks all temporary files."""
        with disk_errors("read", self.path):
            leftovers = [self.path / path for path in _files(self.path) if LEFTOVER.fullmatch(path)]
        for path in leftovers:
            with disk_errors("deleted", path):
                path.unlink(missing_ok=True)
        return len(leftovers)

    def within(self, folder: str) -> "LocalStore":
        """The store of a folder in it, with the same ledger."""
        inner = copy(self)
        inner.path, inner.description = self.local_path(folder), f"{self}/{folder}"
        inner._prefix = f"{self._prefix}{folder}/"
        return inner

    def append(self, name: str, line: bytes) -> bool:
        """Adds the line in one write, and notes before that the file is heatproof's."""
        path = self.local_path(name)
        with disk_errors("written", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                note(self._root, self._prefix + name, None)
            if self._appended.get(path) != _state(path):  # else each line would read the ledger of all before it
                check_replaceable(self._root, self._prefix + name)
            append_line(path, line)
            self._appended[path] = _state(path)
        return True

    def local_path(self, name: str) -> Path:
        """The path, whether something is there or not."""
        path = self.path / checked_name(name)
        if not os.path.realpath(path).startswith(self._inside):
            raise InputError(f"{name!r} of {self} is a link that leads out of the folder; remove the link")
        return path


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written to; none where there is none."""
    with suppress(FileNotFoundError):
        found = path.stat(follow_symlinks=False)
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _files(folder: Path) -> Iterator[str]:
    """Paths of all that is in a folder and is none, relative to it; links to folders are not followed."""
    pending = [""]
    while pending:
        inside = pending.pop()
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / inside) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{inside}{entry.name}/")
                else:  # whatever it is: who reads it is told what it is not
                    yield inside + entry.name
