"""What happened to a run, and when: one JSON line per event."""

import errno
import io
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatproof.errors import InputError
from heatproof.runs.objects import LARGEST_LINE, LARGEST_LOG
from heatproof.runs.store import Store, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatproof.runs.shard_records import EventRecord

FILE, FOLDER = "log.jsonl", "log"
AT_ONCE = 500  # objects that are read at once


class RunLog:
    """Events of a run: lines of ``log.jsonl`` in a folder, objects ``log/TIME-….json`` under a URL.

    A line is one write at the end of the file, so that lines of several processes never mix. A line that a full disk
    has torn is ended by the next one; ``read_log`` leaves it out.

    >>> import tempfile
    >>> from heatproof.runs.store import LocalStore
    >>> store = LocalStore(Path(tempfile.mkdtemp()))
    >>> RunLog(store).write("shard done", shard=7, seconds=1.5)
    >>> [(line.event, line.shard) for line in read_log(store)]
    [('shard done', 7)]
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, event: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON has
        """Appends what happened, with the time now (UTC); what JSON does not have becomes text.

        Raises:
            StoreError: where the disk or the service refuses.
        """
        now = datetime.now(UTC)
        line = json.dumps({"time": now.isoformat(timespec="milliseconds"), "event": event} | values, default=str) + "\n"
        path = self._store.local_path(FILE)
        if path is None:
            self._store.put(f"{FOLDER}/{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(4)}.json", line.encode())
            return
        with told("written", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _append(path, line.encode())


def read_log(store: Store) -> "Iterator[EventRecord]":
    """All events that are whole, in the order of their writing.

    Raises:
        InputError: if the log is larger than any run writes.
    """
    from heatproof.runs.shard_records import EventRecord  # pydantic, which writers do not need

    for line in _lines(store):
        try:
            yield EventRecord.read(line, FILE)
        except InputError:  # torn, or no event
            continue


def _lines(store: Store) -> "Iterator[bytes]":
    if store.local_path(FILE) is None:
        names = store.names(f"{FOLDER}/")
        for first in range(0, len(names), AT_ONCE):
            yield from store.get_many(names[first : first + AT_ONCE], at_most=LARGEST_LINE)
    elif store.exists(FILE):
        lines = io.BytesIO(store.get(FILE, at_most=LARGEST_LOG))
        yield from (line for line in lines if len(line) <= LARGEST_LINE)


def _append(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not make us wait
    descriptor = os.open(path, flags, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        whole = b"\n" * torn + line
        if os.write(descriptor, whole) < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
