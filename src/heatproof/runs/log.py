"""The log of a run: one JSON line per event, with its time."""

import io
import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heatproof.errors import InputError
from heatproof.runs.objects import LARGEST_LINE, LARGEST_LOG, MissingError, Store

if TYPE_CHECKING:
    from heatproof.runs.records import EventRecord

FILE, FOLDER = "log.jsonl", "log"


class RunLog:
    """Events of a run: lines of ``log.jsonl`` in a folder, objects ``log/TIME-….json`` under a URL.

    Lines of several processes never mix; ``read_log`` leaves out a line that a full disk has torn.

    >>> import pathlib, tempfile
    >>> from heatproof.runs.store import LocalStore
    >>> store = LocalStore(pathlib.Path(tempfile.mkdtemp()))
    >>> RunLog(store).write("shard done", shard=7, seconds=1.5)
    >>> [(line.event, line.shard) for line in read_log(store)]
    [('shard done', 7)]
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, event: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON has
        """Appends what happened, with the time now (UTC); what JSON does not have becomes text."""
        now = datetime.now(UTC)
        line = json.dumps({"time": now.isoformat(timespec="milliseconds"), "event": event} | values, default=str) + "\n"
        if not self._store.append(FILE, line.encode()):
            self._store.put(f"{FOLDER}/{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(4)}.json", line.encode())


def read_log(store: Store) -> "Iterator[EventRecord]":
    """All complete events, in the order of their writing; InputError if the log is larger than any run's."""
    from heatproof.runs.records import EventRecord  # pydantic, which writers do not need

    if store.local_path(FILE) is None:
        lines = store.get_each(store.names(f"{FOLDER}/"), at_most=LARGEST_LINE)
    else:
        try:
            lines = io.BytesIO(store.get(FILE, at_most=LARGEST_LOG))
        except MissingError:
            return
    for line in lines:
        if isinstance(line, bytes) and len(line) <= LARGEST_LINE:
            with suppress(InputError):  # torn, or no event
                yield EventRecord.read(line, FILE)
