"""Downloads that can go on where they stopped, and are what their publisher says."""

import hashlib
import http.client
import os
import re
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

Advance = Callable[[int, int | None], None]  # bytes that are here, and bytes of the whole if that is known


@dataclass(frozen=True)
class Fetched:
    """A file that is here.

    Attributes:
        path: where.
        sha256: what was received.
        verified: whether its publisher prints a checksum, and it is that.
    """

    path: Path
    sha256: str
    verified: bool


def cache_folder() -> Path:
    """Where downloads go: ``heatproof`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "heatproof"


def fetch(file: File, folder: Path, *, on_progress: Advance = lambda done, total: None) -> Fetched:
    """Downloads a file into ``folder``, unless it is there.

    What came before a connection broke is kept beside it as ``.part``, and the next call goes on from there. A file
    with another checksum than the published one is refused and kept as ``.wrong``.

    Raises:
        InputError: if the server cannot be reached or breaks off, or the file is not the published one.
    """
    target = folder / file.filename
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = _Part(file.url, target.with_name(target.name + ".part"), checked=file.checksum is not None)
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

    def __init__(self, url: str, path: Path, *, checked: bool) -> None:
        self.url = url
        self.path = path
        self.checked = checked
        self.tag = path.with_name(path.name + ".tag")

    def complete(self, on_progress: Advance) -> None:
        """Downloads what is missing, over several connections if they break."""
        for attempt in range(1, TRIES + 1):
            before = self._size
            try:
                if self._continue(on_progress):
                    return
                reason = "the connection broke"
            except urllib.error.HTTPError as error:
                error.close()
                raise InputError(f"{self.url} cannot be had: the server answers {error.code} {error.reason}") from None
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                reason = str(getattr(error, "reason", error) or type(error).__name__)
            if self._size <= before or attempt == TRIES:
                break
        kept = f"; {self._size:,} bytes are kept, and fetching again goes on from there" if self._size else ""
        raise InputError(
            f"{urlsplit(self.url).netloc} cannot be reached, or breaks off ({reason}){kept}; you can also download "
            f"{self.url} by other means and put it at {self.path.with_suffix('')}"
        )

    @property
    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _continue(self, on_progress: Advance) -> bool:
        """One connection; whether the file is whole now."""
        start, tag = self._size, self.tag.read_text("utf-8") if self.tag.exists() else ""
        headers = {"User-Agent": "heatproof"}
        if start and (tag or self.checked):
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": tag} if tag else {})
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            error.close()
            whole = start > 0 and _size_of_all(error.headers) == start
            return whole or self._restart(start, on_progress)
        with answer:
            going_on = answer.status == http.client.PARTIAL_CONTENT and _begin(answer.headers) == start
            if answer.status == http.client.PARTIAL_CONTENT and not going_on:
                return self._restart(start, on_progress)
            return self._write(answer, start if going_on else 0, on_progress)

    def _write(self, answer: Any, start: int, on_progress: Advance) -> bool:  # noqa: ANN401 - a response of urllib's
        """Adds what comes from byte ``start`` on."""
        if not start:
            self.tag.write_text(_tag(answer.headers), "utf-8")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdecimal() else None
        with self.path.open("ab" if start else "wb") as out:
            while piece := answer.read(PIECE):
                out.write(piece)
                start += len(piece)
                on_progress(start, total)
        return total is None or start == total

    def _restart(self, start: int, on_progress: Advance) -> bool:
        """Forgets the ``start`` bytes that are here, since the server has another file or counts otherwise."""
        if not start:
            return False  # the server makes no sense even so
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)
        return self._continue(on_progress)


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
    return tag if tag.startswith('"') else headers.get("Last-Modified") or ""


def _begin(headers: Any) -> int | None:  # noqa: ANN401 - as above
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range") or "")
    return int(found.group(1)) if found else None


def _size_of_all(headers: Any) -> int | None:  # noqa: ANN401 - as above
    found = re.match(r"bytes \*/(\d+)", headers.get("Content-Range") or "")
    return int(found.group(1)) if found else None
