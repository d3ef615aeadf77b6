"""Where the objects of a run lie: a folder, or a URL."""

import errno
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from heatproof.errors import InputError
from heatproof.guarded import check_size, read_regular
from heatproof.runs.fsspec_store import FsspecStore
from heatproof.runs.ledger import HEAD, LEDGER, LEFTOVER, append, check_replaceable, is_ledger, note
from heatproof.runs.objects import KEPT, LARGEST_OBJECT, Store, StoreError, checked_name, folder_of, is_name, missing

__all__ = [
    "FsspecStore",
    "LocalStore",
    "Store",
    "StoreError",
    "checked_name",
    "open_store",
    "put_new",
    "put_whole",
    "sync_folder",
    "told",
    "write_noted",
]

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+:/.*", re.DOTALL)
REMEDIES = {
    errno.ENOSPC: f"make room and start again; {KEPT}",
    errno.EDQUOT: f"make room and start again; {KEPT}",
    errno.EROFS: f"choose a folder that you may write to; {KEPT}",
    errno.EACCES: f"choose a folder that you may read and write; {KEPT}",
    errno.EPERM: f"choose a folder that you may read and write; {KEPT}",
}
CANNOT_SYNC_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # some network file systems; folders without read


def open_store(place: str | Path) -> Store:
    """A folder, or a URL as text; nothing is made or changed there yet.

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
    """Objects are files of a folder, which the first ``put`` makes.

    >>> import tempfile
    >>> store = LocalStore(Path(tempfile.mkdtemp()) / "run")
    >>> store.put("shards/00000.json", b"{}")
    >>> store.names("shards/"), store.get("shards/00000.json")
    (['shards/00000.json'], b'{}')
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.description = str(path)
        self._inside = os.path.join(os.path.realpath(self.path), "")  # noqa: PTH118 - with a slash at its end

    def put(self, name: str, data: bytes) -> None:
        """Temporary file, fsync, rename, fsync of the folder; InputError if another's file would be replaced."""
        self._path(name)
        write_noted(self.path, name, data)

    def begin_ledger(self) -> None:
        """Notes from now on which files are written; without that, runs of earlier versions go on as they were."""
        if not is_ledger(self.path / LEDGER):
            put_whole(self.path / LEDGER, HEAD)

    def get(self, name: str, *, at_most: int = LARGEST_OBJECT) -> bytes:
        """Reads a regular file; nothing else, which might never end."""
        path = self._path(name)
        with told("read", path):
            try:
                return read_regular(path, f"{name!r} of {self}", at_most=at_most, inside=self.path)
            except FileNotFoundError:
                raise missing(self, name) from None

    def get_many(self, names: Sequence[str], *, at_most: int = LARGEST_OBJECT) -> list[bytes]:
        """One after the other."""
        found, total = [], 0
        for name in names:
            found.append(self.get(name, at_most=at_most))
            total += len(found[-1])
            check_size(f"{len(found)} of {len(names)} objects of {self}", total, LARGEST_OBJECT)
        return found

    def exists(self, name: str) -> bool:
        """Whether a regular file is there."""
        path = self._path(name)
        with told("read", path):
            return path.is_file()

    def names(self, prefix: str = "") -> list[str]:
        """Names of all that may be objects, folders apart; links to folders are not followed."""
        inside = folder_of(prefix)
        folder = self._path(inside) if inside else self.path
        with told("read", folder):
            found = [f"{inside}/{path}" if inside else path for path in _files(folder)]
        return sorted(name for name in found if name.startswith(prefix) and is_name(name))

    def delete(self, name: str) -> None:
        """Unlinks the file, and brings that to the disk."""
        path = self._path(name)
        with told("deleted", path), suppress(FileNotFoundError):
            check_replaceable(self.path, name)
            path.unlink()
            sync_folder(path.parent)

    def sweep(self) -> int:
        """Unlinks all temporary files."""
        with told("read", self.path):
            leftovers = [self.path / path for path in _files(self.path) if LEFTOVER.fullmatch(path)]
        for path in leftovers:
            with told("deleted", path):
                path.unlink(missing_ok=True)
        return len(leftovers)

    def append(self, name: str, line: bytes) -> bool:
        """Adds the line in one write, and notes before that the file is heatproof's."""
        path = self._path(name)
        with told("written", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                note(self.path, name, None)
            check_replaceable(self.path, name)
            append(path, line)
        return True

    def local_path(self, name: str) -> Path:
        """The path, whether something is there or not."""
        return self._path(name)

    def _path(self, name: str) -> Path:
        path = self.path / checked_name(name)
        if not os.path.realpath(path).startswith(self._inside):
            raise InputError(f"{name!r} of {self} is a link that leads out of the folder; take the link away")
        return path


def write_noted(folder: Path, name: str, data: bytes) -> None:
    """Writes a file of a folder whole, and notes it in the folder's ledger before.

    Raises:
        InputError: if it would replace a file that heatproof did not write.
        StoreError: if the disk refuses.
    """
    with told("written", folder / name):
        check_replaceable(folder, name)
        note(folder, name, data)
    put_whole(folder / name, data)


def put_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all; StoreError if the disk refuses."""
    temporary = path.with_name(f".{secrets.token_hex(16)}.partial")
    with told("written", path):
        _make_folder(path.parent)
        try:
            _write(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def put_new(path: Path, data: bytes) -> bool:
    """Writes a file whole where nothing is; false if something is there by then."""
    temporary = path.with_name(f".{secrets.token_hex(16)}.partial")
    with told("written", path):
        try:
            _write(temporary, data)
            _name_new(temporary, path)
            sync_folder(path.parent)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
    return True


def _name_new(temporary: Path, path: Path) -> None:
    """Gives a file another name, unless that is taken: a rename would replace what has it."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):  # file systems without links
            raise
        path.open("xb").close()
        temporary.replace(path)


@contextmanager
def told(done: str, path: Path) -> Iterator[None]:
    """What the disk refuses becomes a StoreError that says what could not be ``done``, and what to do."""
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, KEPT)
        raise StoreError(f"{str(path)!r} could not be {done}: {error.strerror or error}; {remedy}") from error


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC_FOLDERS:
            raise


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
