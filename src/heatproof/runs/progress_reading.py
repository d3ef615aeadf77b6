"""How far a run is, read from what lies in it; nobody is asked, so a run is read while others write it.

``run.json``: ``schema``, ``study``, ``data`` (``name``, ``members``), ``shard_size``; ``verdict`` once it is finished.
``shards/NNNNN.json``: ``images`` (count), ``skipped`` (list), ``evaluations``, ``seconds``, ``worker``.
``failed/NNNNN.json``: ``error``, ``tries``, ``worker``.
Log: ``start`` or ``resume``, then ``shard done`` with ``shard``, its number.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from heatproof.errors import InputError
from heatproof.runs.lock import holder
from heatproof.runs.log import read_log
from heatproof.runs.objects import LARGEST_MARKER
from heatproof.runs.progress import Failure, Pace, Progress, State, Worker
from heatproof.runs.schema import READABLE
from heatproof.runs.store import LocalStore, Store

MOST = 10**12  # of anything that is counted
LONGEST_TEXT = 10_000
NUMBERED = re.compile(r"[a-z]+/([0-9]{5,12})\.json")
BEGINNINGS = ("start", "resume")

Found = TypeVar("Found")


class _WrongError(ValueError):
    """A record that does not hold what it should."""


@dataclass(frozen=True)
class _Marker:
    """What a whole shard says about itself."""

    images: int
    skipped: int
    evaluations: int
    seconds: float
    worker: str


def read_progress(store: Store) -> Progress:
    """How far the run in a store is. Records that cannot be used are left out, and named in ``problems``.

    Raises:
        InputError: if there is no run, or its ``run.json`` is not what it should be.
        StoreError: where the disk or the service fails.
    """
    run, data = _run(store)
    members, size = _count(data, "members"), max(_count(run, "shard_size"), 1)
    shards = -(-members // size)
    problems: list[str] = []
    markers = _numbered(store, "shards", shards, lambda _, record: _marker(record, size), problems)
    failed = _numbered(store, "failed", shards, _failure, problems)
    who = holder(store.path) if isinstance(store, LocalStore) else None
    whole = markers.values()
    return Progress(
        place=str(store),
        study=_text(run, "study"),
        data=_text(data, "name"),
        state=_state(store, finished="verdict" in run, written=who is not None),
        holder=who,
        members=members,
        shards=shards,
        whole=len(markers),
        failed=tuple(failure for number, failure in sorted(failed.items()) if number not in markers),
        images=sum(marker.images for marker in whole),
        skipped=sum(marker.skipped for marker in whole),
        evaluations=sum(marker.evaluations for marker in whole),
        seconds=math.fsum(marker.seconds for marker in whole),
        workers=_workers(list(whole)),
        pace=_pace(read_log(store), markers),
        problems=tuple(problems),
    )


def _state(store: Store, *, finished: bool, written: bool) -> State:
    if finished:
        return "finished"
    if not isinstance(store, LocalStore):
        return "unknown"
    return "running" if written else "stopped"


def _run(store: Store) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if not store.exists("run.json"):
        raise InputError(f"{store} is no run: it has no run.json; give the folder or URL of a run")
    try:
        run = _parsed(store.get("run.json"))
        if run.get("schema") not in READABLE:
            raise _WrongError(f"schema {' or '.join(map(str, READABLE))} was expected, got {_shown(run.get('schema'))}")
        data = run.get("data")
        if not isinstance(data, dict):
            raise _WrongError(f"data must be an object, got {_shown(data)}")
        for check, record, key in (
            (_text, run, "study"), (_text, data, "name"), (_count, data, "members"), (_count, run, "shard_size"),
        ):  # fmt: skip
            check(record, key)
    except _WrongError as error:
        raise InputError(f"run.json of {store} is not that of a run in shards: {error}") from None
    return run, data


def _numbered(
    store: Store, folder: str, shards: int, read: Callable[[int, Mapping[str, Any]], Found], problems: list[str]
) -> dict[int, Found]:
    """What ``folder/NNNNN.json`` say, by number."""
    names = [name for name in store.names(f"{folder}/") if name.endswith(".json")]
    found = {}
    for name, data in _contents(store, names):
        try:
            number = NUMBERED.fullmatch(name)
            if not number or int(number[1]) >= shards:
                raise _WrongError(f"the run has no such shard, but {shards:,}")
            found[int(number[1])] = read(int(number[1]), _parsed(data))
        except _WrongError as error:
            problems.append(f"{name} is left out: {error}")
    return found


def _contents(store: Store, names: Sequence[str]) -> list[tuple[str, bytes]]:
    try:
        return list(zip(names, store.get_many(names, at_most=LARGEST_MARKER), strict=True))
    except InputError:  # one went away meanwhile
        return [(name, store.get(name, at_most=LARGEST_MARKER)) for name in names if store.exists(name)]


def _marker(record: Mapping[str, Any], size: int) -> _Marker:
    skipped = record.get("skipped")
    if not isinstance(skipped, list):
        raise _WrongError(f"skipped must be a list, got {_shown(skipped)}")
    images = _count(record, "images")
    if images + len(skipped) > size:
        raise _WrongError(f"a shard has at most {size:,} images, got {images + len(skipped):,}")
    return _Marker(
        images, len(skipped), _count(record, "evaluations"), _seconds(record, "seconds"), _text(record, "worker")
    )


def _failure(number: int, record: Mapping[str, Any]) -> Failure:
    return Failure(number, _text(record, "error"), _count(record, "tries"), _text(record, "worker"))


def _workers(markers: Sequence[_Marker]) -> tuple[Worker, ...]:
    by_name: dict[str, list[_Marker]] = {}
    for marker in markers:
        by_name.setdefault(marker.worker, []).append(marker)
    return tuple(
        Worker(name, len(own), sum(marker.images for marker in own), math.fsum(marker.seconds for marker in own))
        for name, own in sorted(by_name.items())
    )


def _pace(events: Sequence[Mapping[str, Any]], markers: Mapping[int, _Marker]) -> Pace | None:
    beginnings = [place for place, event in enumerate(events) if event["event"] in BEGINNINGS]
    if not beginnings:
        return None
    since, last, done = _time(events[beginnings[-1]]), None, set()
    for event in events[beginnings[-1] + 1 :]:
        shard, moment = event.get("shard"), _time(event)
        if event["event"] == "shard done" and moment and isinstance(shard, int) and shard in markers:
            done.add(shard)
            last = moment
    if since is None or last is None or last <= since:
        return None
    images = sum(markers[shard].images + markers[shard].skipped for shard in done)
    return Pace(since, last, len(done), images, (last - since).total_seconds())


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _WrongError(f"it is no JSON ({error})") from None
    if not isinstance(record, dict):
        raise _WrongError(f"an object was expected, got {_shown(record)}")
    return record


def _count(record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise _WrongError(f"{key} must be a whole number from 0 to {MOST:.0e}, got {_shown(value)}")
    return value


def _seconds(record: Mapping[str, Any], key: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise _WrongError(f"{key} must be a number from 0 to {MOST:.0e}, got {_shown(value)}")
    return float(value)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise _WrongError(f"{key} must be a text, got {_shown(value)}")
    return value[:LONGEST_TEXT]


def _time(event: Mapping[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(event["time"])
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):  # the first or the last day of the calendar, elsewhere
        return None


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not -MOST <= value <= MOST:
        return "a number beyond all bounds"
    return "nothing" if value is None else repr(value)[:80]
