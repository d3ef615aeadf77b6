"""What happened to a run, and when: one JSON line per event."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from heatproof.runs.ledger import append, check_replaceable, note
from heatproof.runs.objects import LARGEST_LINE, LARGEST_LOG, MissingError
from heatproof.runs.store import Store, told

FILE, FOLDER = "log.jsonl", "log"


class RunLog:
    """Events of a run: lines of ``log.jsonl`` in a folder, objects ``log/TIME-….json`` under a URL.

    Lines of several processes never mix; ``read_log`` leaves out a line that a full disk has torn.

    >>> import pathlib, tempfile
    >>> from heatproof.runs.store import LocalStore
    >>> store = LocalStore(pathlib.Path(tempfile.mkdtemp()))
    >>> RunLog(store).write("shard done", shard=7, seconds=1.5)
    >>> [(line["event"], line["shard"]) for line in read_log(store)]
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
            if not path.exists():
                note(path.parent, FILE, None)
            check_replaceable(path.parent, FILE)
            append(path, line.encode())


def read_log(store: Store) -> list[dict[str, Any]]:
    """All events that are whole, each with at least ``time`` and ``event``, in the order of their writing."""
    if store.local_path(FILE) is None:
        lines = store.get_many(store.names(f"{FOLDER}/"), at_most=LARGEST_LINE)
    else:
        lines = _lines(store)
    return [event for line in lines if (event := _event(line))]


def _lines(store: Store) -> list[bytes]:
    try:
        return store.get(FILE, at_most=LARGEST_LOG).splitlines()
    except MissingError:
        return []


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(event, dict) and all(isinstance(event.get(key), str) for key in ("time", "event"))
    return event if texts else None
