"""Downloads that can go on where they stopped, and are what their publisher says."""

import hashlib
import http.client
import os
import re
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from heatproof.errors import InputError
from heatproof.network.published import File

TIMEOUT = 30.0  # seconds without an answer
PIECE = 2**20
TRIES = 5  # connections for one file, as long as each brings something
VERSION = re.compile(r'"[\x21\x23-\x7e]{1,200}"|[\x20\x21\x23-\x7e]{1,64}')  # a strong ETag, or a date

# a ValueError where an address or a header makes no sense
_BROKEN = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ValueError)

Advance = Callable[[int, int | None], None]  # bytes that are here, and bytes of the whole if that is known


@dataclass(frozen=True)
class Fetched:
    """A file that is here."""

    path: Path
    sha256: str  # what was received
    verified: bool  # its publisher prints a checksum, and it is that


def cache_folder() -> Path:
    """Where downloads go: ``heatproof`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "heatproof"


def fetch(file: File, folder: Path, *, on_progress: Advance = lambda done, total: None) -> Fetched:
    """Downloads a file into ``folder``, unless it is there.

    What came before a connection broke is kept beside it as ``.part``, and the next call resumes there. A file
    with another checksum than the published one is refused and kept as ``.wrong``. Addresses that the publisher's
    server leads to must be https, or the same server's.

    Raises:
        InputError: if the server cannot be reached, breaks off, leads elsewhere or sends more than such a file can
            have, if the file is not the published one, or something that is no file has its name.
    """
    target = folder / file.filename
    if not _is_file(target):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            said = f"expected a folder to download to, got {str(folder)!r}, which is or lies in a file"
            raise InputError(said) from error
        part = _Part(file, target.with_name(target.name + ".part"))
        part.complete(on_progress)
        _check(file, part.path, target)
        part.path.replace(target)
        part.tag.unlink(missing_ok=True)
    else:
        _check(file, target, target)
    return Fetched(target, _digest(target, "sha256"), file.checksum is not None)


class _Part:
    """A file that is not whole yet; ``tag`` says which version of it the server gave.

    Where neither a tag nor a checksum will say whether the rest belongs to what is here, it begins anew.
    """

    def __init__(self, file: File, path: Path) -> None:
        self.url, self.largest, self.checked = file.url, file.largest, file.checksum is not None
        self.path = path
        self.tag = path.with_name(path.name + ".tag")
        for ours in (self.path, self.tag):
            _is_file(ours, links=False)

    def complete(self, on_progress: Advance) -> None:
        """Downloads what is missing, over several connections if they break."""
        for attempt in range(1, TRIES + 1):
            before = self._size
            try:
                if self._continue(on_progress):
                    return
                reason = "the connection broke"
            except InputError:
                raise
            except urllib.error.HTTPError as error:
                error.close()
                said = " ".join(str(error.reason).split())
                raise InputError(
                    f"{self.url} cannot be downloaded: the server answers {error.code} {said:.200}"
                ) from None
            except _BROKEN as error:
                reason = f"{getattr(error, 'reason', error) or type(error).__name__!s:.200}"
            if self._size <= before or attempt == TRIES:
                break
        kept = f"; {self._size:,} bytes are kept, and the same command resumes there" if self._size else ""
        raise InputError(
            f"{urlsplit(self.url).netloc} cannot be reached, or closed the connection ({reason}){kept}; you can also "
            f"download {self.url} in another way and put it at {self.path.with_suffix('')}"
        )

    @property
    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _continue(self, on_progress: Advance) -> bool:
        """Downloads over one connection; true if the file is complete now."""
        start, tag = self._size, _known(self.tag.read_text("latin-1")) if self.tag.exists() else ""
        headers = {"User-Agent": "heatproof"}
        if start and (tag or self.checked):
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": tag} if tag else {})
        try:
            answer = _opener.open(urllib.request.Request(self.url, headers=headers), timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            error.close()
            whole = start > 0 and _in_range(error.headers, r"bytes \*/(\d+)") == start
            return whole or self._restart(start, on_progress)
        with answer:
            if answer.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
                raise InputError(f"{self.url} cannot be downloaded: the server answers {answer.status}")
            partial = answer.status == http.client.PARTIAL_CONTENT
            if partial and _in_range(answer.headers, r"bytes (\d+)-") != start:
                return self._restart(start, on_progress)
            return self._write(answer, start if partial else 0, on_progress)

    def _write(self, answer: Any, start: int, on_progress: Advance) -> bool:  # noqa: ANN401 - a response of urllib's
        """Adds what comes from byte ``start`` on."""
        if not start:
            self.tag.write_text(_tag(answer.headers), "utf-8")
        length = answer.headers.get("Content-Length") or ""
        total = start + int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        if total and total > self.largest:
            self._refuse_size()
        with self.path.open("ab" if start else "wb") as out:
            while piece := answer.read(PIECE):
                start += len(piece)
                if start > self.largest:
                    self._refuse_size()
                out.write(piece)
                on_progress(start, total)
        return start > 0 and total in (None, start)

    def _forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def _refuse_size(self) -> None:
        self._forget()
        raise InputError(
            f"{self.url} cannot be what its publisher put there: the server sends more than {self.largest:,} bytes"
        )

    def _restart(self, start: int, on_progress: Advance) -> bool:
        """Forgets the ``start`` bytes that are here, since the server has another file or counts otherwise."""
        if not start:
            return False  # the server makes no sense even so
        self._forget()
        return self._continue(on_progress)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https anywhere (publishers keep large files on hosts of their providers), to http on the same host."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ANN401
        """Follows a redirect as urllib does, to https or the same server only."""
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        same = before.scheme == after.scheme == "http" and before.netloc == after.netloc
        if after.scheme != "https" and not same:
            raise InputError(
                f"{req.full_url} leads to {newurl:.200}, which is not followed: expected https, or the same server"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_Redirects)


def _is_file(path: Path, *, links: bool = True) -> bool:
    """Whether a file is there; refuses what would be read for ever, or written somewhere else."""
    if not os.path.lexists(path):
        return False
    if not path.exists() or not stat.S_ISREG(path.stat().st_mode) or (path.is_symlink() and not links):
        raise InputError(
            f"{str(path)!r} is in the way: expected a file, got a folder, link, pipe or device; move it away"
        )
    return True


def _check(file: File, path: Path, target: Path) -> None:
    """Refuses what is not the published file, and keeps it aside."""
    if file.checksum is None:
        return
    method, _, expected = file.checksum.partition(":")
    found = _digest(path, method)
    if found.startswith(expected):
        return
    aside = target.with_name(target.name + ".wrong")
    path.replace(aside)
    raise InputError(
        f"{file.filename} is not the published file: its {method.upper()} is {found}, and {expected} is published; "
        f"it is kept as {aside}. Fetch it again, or look at what the server sent"
    )


def _digest(path: Path, method: str) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, method).hexdigest()


def _tag(headers: Any) -> str:  # noqa: ANN401 - a mapping of urllib's
    """What identifies a version of a file: a strong ETag, or the time of its last change."""
    tag = headers.get("ETag") or ""
    return _known(tag if tag.startswith('"') else headers.get("Last-Modified") or "")


def _known(tag: str) -> str:
    """The tag, if it can be sent back as it is; otherwise nothing, as if there was none."""
    return tag if VERSION.fullmatch(tag) else ""


def _in_range(headers: Any, pattern: str) -> int | None:  # noqa: ANN401 - as above
    """A number of the range that a server sends or knows."""
    found = re.match(pattern, headers.get("Content-Range") or "")
    return int(found.group(1)) if found else None
