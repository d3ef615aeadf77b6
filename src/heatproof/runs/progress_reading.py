"""How far a run is, read from what lies in it; nobody is asked, so a run is read while others write it."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from heatproof.errors import InputError
from heatproof.runs.lock import holder
from heatproof.runs.log import read_log
from heatproof.runs.objects import LARGEST_FAILURE, LARGEST_MARKER, cell_of
from heatproof.runs.places import RECORD
from heatproof.runs.progress import Failure, Pace, Progress, State, Worker
from heatproof.runs.records import Record
from heatproof.runs.run_record import CellsRecord, RunRecord, read_begun
from heatproof.runs.shard_records import EventRecord, FailureRecord, ShardRecord
from heatproof.runs.store import LocalStore, Store

LONGEST_ERROR = 10_000  # characters
AT_ONCE = 500  # records that are read at once
NUMBERED = re.compile(r"[a-z]+/([0-9]{5,12})\.json")
BEGINNINGS = ("start", "resume")

Found = TypeVar("Found", bound=Record)


def read_progress(store: Store) -> Progress:
    """How far the run in a store is. Records that cannot be used are left out, and named in ``problems``.

    Raises:
        InputError: if there is no run, or its ``run.json`` is not what it should be.
        StoreError: where the disk or the service fails.
    """
    run = read_begun(store)
    return _of_cells(store, run) if isinstance(run, CellsRecord) else _of_run(store, run)


def _of_cells(store: Store, run: CellsRecord) -> Progress:
    """All cells together; those that were not begun have as many shards as the first."""
    places = [cell_of(store, number) for number in range(len(run.cells))]
    parts = [read_progress(place) for place in places if place.exists(RECORD)]
    who = holder(store.path) if isinstance(store, LocalStore) else None
    times = len(run.cells) - len(parts)
    paces = [part.pace for part in parts if part.pace]
    workers: dict[str, list[Worker]] = {}
    for part in parts:
        for worker in part.workers:
            workers.setdefault(worker.name, []).append(worker)

    def total(of: Callable[[Progress], float]) -> int:
        return int(sum(of(part) for part in parts))

    return Progress(
        place=str(store),
        study=run.study,
        data=parts[0].data if parts else "",
        state=_state(store, finished=run.verdict is not None, written=who is not None),
        holder=who,
        members=total(lambda part: part.members) + (times * parts[0].members if parts else 0),
        shards=total(lambda part: part.shards) + (times * parts[0].shards if parts else 0),
        whole=total(lambda part: part.whole),
        failed=tuple(failure for part in parts for failure in part.failed),
        images=total(lambda part: part.images),
        skipped=total(lambda part: part.skipped),
        evaluations=total(lambda part: part.evaluations),
        seconds=math.fsum(part.seconds for part in parts),
        workers=tuple(
            Worker(
                name,
                sum(one.shards for one in own),
                sum(one.images for one in own),
                math.fsum(one.seconds for one in own),
            )
            for name, own in sorted(workers.items())
        ),
        pace=paces[-1] if paces else None,
        problems=tuple(f"{part.place}: {problem}" for part in parts for problem in part.problems),
    )


def _of_run(store: Store, run: RunRecord) -> Progress:
    shards = -(-run.data.members // run.shard_size)
    problems: list[str] = []
    markers = dict(_numbered(store, "shards", ShardRecord, LARGEST_MARKER, shards, problems))
    markers = {number: marker for number, marker in markers.items() if _fits(number, marker, run, problems)}
    failures = dict(_numbered(store, "failed", FailureRecord, LARGEST_FAILURE, shards, problems))
    failed = {number: failure for number, failure in failures.items() if failure.shard == number}
    problems += [
        f"failed/{number:05}.json is left out: it is the failure of shard {failure.shard}"
        for number, failure in failures.items()
        if number not in failed
    ]
    who = holder(store.path) if isinstance(store, LocalStore) else None
    whole = markers.values()
    return Progress(
        place=str(store),
        study=run.study,
        data=run.data.name,
        state=_state(store, finished=run.verdict is not None, written=who is not None),
        holder=who,
        members=run.data.members,
        shards=shards,
        whole=len(markers),
        failed=tuple(
            Failure(number, failure.error[:LONGEST_ERROR], failure.tries, failure.worker)
            for number, failure in sorted(failed.items())
            if number not in markers
        ),
        images=sum(marker.images for marker in whole),
        skipped=sum(len(marker.skipped) for marker in whole),
        evaluations=sum(marker.evaluations for marker in whole),
        seconds=math.fsum(marker.seconds for marker in whole),
        workers=_workers(whole),
        pace=_pace(store, markers, problems),
        problems=tuple(problems),
    )


def _state(store: Store, *, finished: bool, written: bool) -> State:
    if finished:
        return "finished"
    if not isinstance(store, LocalStore):
        return "unknown"
    return "running" if written else "stopped"


def _numbered(
    store: Store, folder: str, kind: type[Found], largest: int, shards: int, problems: list[str]
) -> Iterator[tuple[int, Found]]:
    """What ``folder/NNNNN.json`` say, by number."""
    names = [name for name in store.names(f"{folder}/") if name.endswith(".json")]
    for name, found in _contents(store, names, largest):
        number = NUMBERED.fullmatch(name)
        if not number or int(number[1]) >= shards:
            problems.append(f"{name} is left out: the run has no such shard, but {shards:,}")
        elif isinstance(found, InputError):
            problems.append(f"{name} is left out: {found}")
        else:
            try:
                yield int(number[1]), kind.read(found, name)
            except InputError as error:
                problems.append(f"{name} is left out: {str(error).removeprefix(f'{name}: ')}")


def _contents(store: Store, names: Sequence[str], largest: int) -> Iterator[tuple[str, bytes | InputError]]:
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        try:
            yield from zip(some, store.get_many(some, at_most=largest), strict=True)
        except InputError:  # one went away meanwhile, or is too large
            for name in some:
                if store.exists(name):
                    yield name, _content(store, name, largest)


def _content(store: Store, name: str, largest: int) -> bytes | InputError:
    try:
        return store.get(name, at_most=largest)
    except InputError as error:
        return error


def _fits(number: int, marker: ShardRecord, run: RunRecord, problems: list[str]) -> bool:
    """Whether a marker is that of the shard with this number; if not, the problem is noted."""
    size = run.shard_size
    wrong = marker.wrong(number, range(number * size, min((number + 1) * size, run.data.members)))
    problems += [f"shards/{number:05}.json is left out: {wrong}"] if wrong else []
    return not wrong


def _workers(markers: Iterable[ShardRecord]) -> tuple[Worker, ...]:
    by_name: dict[str, list[ShardRecord]] = {}
    for marker in markers:
        by_name.setdefault(marker.worker, []).append(marker)
    return tuple(
        Worker(name, len(own), sum(marker.images for marker in own), math.fsum(marker.seconds for marker in own))
        for name, own in sorted(by_name.items())
    )


def _pace(store: Store, markers: Mapping[int, ShardRecord], problems: list[str]) -> Pace | None:
    """How fast it went since the last beginning that the log has."""
    since: datetime | None = None
    last: datetime | None = None
    done: set[int] = set()
    try:
        for event in read_log(store):
            if event.event in BEGINNINGS:
                since, last, done = _time(event), None, set()
            elif event.event == "shard done" and event.shard is not None and event.shard in markers:
                moment = _time(event)
                done |= {event.shard} if moment else set()
                last = moment or last
    except InputError as error:
        problems.append(f"the log is left out: {error}")
    if since is None or last is None or last <= since:
        return None
    images = sum(markers[shard].images + len(markers[shard].skipped) for shard in done)
    return Pace(since, last, len(done), images, (last - since).total_seconds())


def _time(event: EventRecord) -> datetime | None:
    try:
        moment = datetime.fromisoformat(event.time)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):  # the first or the last day of the calendar, elsewhere
        return None
