"""The progress of a run, read from its files alone, so that it works while other processes write them."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from heatproof.errors import InputError
from heatproof.runs.lock import holder
from heatproof.runs.log import read_log
from heatproof.runs.objects import LARGEST_FAILURE, LARGEST_MARKER, RECORD, MissingError, Store, cell_of
from heatproof.runs.records import EventRecord, FailureRecord, LockRecord, ShardRecord, StoredRecord
from heatproof.runs.run_record import CellsRecord, RunRecord, read_begun, read_run
from heatproof.runs.store import LocalStore

LONGEST_ERROR = 10_000  # characters
NUMBERED = re.compile(r"[a-z]+/([0-9]{5,12})\.json")
BEGINNINGS = ("start", "resume")

State = Literal["finished", "running", "stopped", "unknown"]
Found = TypeVar("Found", bound=StoredRecord)


@dataclass(frozen=True)
class WorkerTotals:
    """What one worker did: whole shards, their images, and the seconds that these took."""

    name: str
    shards: int
    images: int
    seconds: float


@dataclass(frozen=True)
class Throughput:
    """How fast the run was since it was last started."""

    since: datetime  # when it was started, or resumed
    last: datetime  # when the last shard was done
    shards: int  # done since
    images: int  # done since, skipped ones included
    seconds: float  # from start to the last shard


@dataclass(frozen=True)
class RunProgress:
    """How far a run is; what is not said is of all workers together."""

    place: str  # folder or URL
    study: str
    data: str  # name of the data set
    state: State  # unknown under a URL, which has no lock
    holder: LockRecord | None  # the process that writes it, if one does
    members: int  # of the data set
    shards: int  # to do, in all
    whole: int  # shards that are done
    failed: tuple[FailureRecord, ...]  # shards that were set aside
    images: int  # that were evaluated
    skipped: int  # images that could not be read
    evaluations: int  # of the network
    seconds: float  # of computing
    workers: tuple[WorkerTotals, ...]
    pace: Throughput | None  # None before a shard was done
    problems: tuple[str, ...]  # what lies in the run and cannot be used

    @property
    def left(self) -> int:
        """Shards that are still to do."""
        return max(self.shards - self.whole - len(self.failed), 0)

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds, at the pace of this session; None without one."""
        if not self.left or self.state == "finished":
            return 0.0
        return self.pace.seconds / self.pace.shards * self.left if self.pace else None

    @property
    def images_per_second(self) -> float | None:
        """Images per second in this session."""
        return self.pace.images / self.pace.seconds if self.pace else None

    def describe(self) -> dict[str, Any]:
        """The progress as JSON-able values."""
        pace = self.pace and asdict(self.pace) | {
            "since": self.pace.since.isoformat(),
            "last": self.pace.last.isoformat(),
        }
        derived = {name: getattr(self, name) for name in ("left", "seconds_left", "images_per_second")}
        who, failed = self.holder and self.holder.named(), [failure.named() for failure in self.failed]
        return asdict(self) | {"pace": pace, "holder": who, "failed": failed} | derived


def read_progress(store: Store) -> RunProgress:
    """How far the run in a store is; InputError if there is none, or its ``run.json`` is not what it should be.

    Other records that cannot be used are left out, and named in ``problems``.
    """
    run = read_begun(store)
    who = holder(store.path) if isinstance(store, LocalStore) else None
    state: State = "unknown"
    if run.verdict is not None:
        state = "finished"
    elif isinstance(store, LocalStore):
        state = "running" if who else "stopped"
    return _of_cells(store, run, state, who) if isinstance(run, CellsRecord) else _of_run(store, run, state, who)


def _of_cells(store: Store, run: CellsRecord, state: State, who: LockRecord | None) -> RunProgress:
    """All cells together; those that were not begun have as many shards as the first."""
    cells = [cell_of(store, number) for number in range(len(run.cells))]
    parts = [_of_run(cell, read_run(cell), state, who) for cell in cells if cell.exists(RECORD)]
    all_parts = parts + parts[:1] * (len(cells) - len(parts))
    return RunProgress(
        place=str(store),
        study=run.study,
        data=parts[0].data if parts else "",
        state=state,
        holder=who,
        members=sum(part.members for part in all_parts),
        shards=sum(part.shards for part in all_parts),
        whole=sum(part.whole for part in parts),
        failed=tuple(failure for part in parts for failure in part.failed),
        images=sum(part.images for part in parts),
        skipped=sum(part.skipped for part in parts),
        evaluations=sum(part.evaluations for part in parts),
        seconds=math.fsum(part.seconds for part in parts),
        workers=_by_name(worker for part in parts for worker in part.workers),
        pace=next((part.pace for part in reversed(parts) if part.pace), None),
        problems=tuple(f"{part.place}: {problem}" for part in parts for problem in part.problems),
    )


def _of_run(store: Store, run: RunRecord, state: State, who: LockRecord | None) -> RunProgress:
    members, size, problems = run.data.members, run.shard_size, list[str]()
    shards = -(-members // size)

    def wrong_marker(number: int, marker: ShardRecord) -> str:
        return marker.wrong(number, range(number * size, min((number + 1) * size, members)))

    def wrong_failure(number: int, failure: FailureRecord) -> str:
        return f"it is the failure of shard {failure.shard}" if failure.shard != number else ""

    markers = dict(_numbered(store, "shards", ShardRecord, LARGEST_MARKER, shards, wrong_marker, problems))
    failures = dict(_numbered(store, "failed", FailureRecord, LARGEST_FAILURE, shards, wrong_failure, problems))
    whole = markers.values()
    return RunProgress(
        place=str(store),
        study=run.study,
        data=run.data.name,
        state=state,
        holder=who,
        members=members,
        shards=shards,
        whole=len(markers),
        failed=tuple(
            failure.model_copy(update={"error": failure.error[:LONGEST_ERROR]})
            for number, failure in sorted(failures.items())
            if number not in markers
        ),
        images=sum(marker.images for marker in whole),
        skipped=sum(len(marker.skipped) for marker in whole),
        evaluations=sum(marker.evaluations for marker in whole),
        seconds=math.fsum(marker.seconds for marker in whole),
        workers=_by_name(WorkerTotals(marker.worker, 1, marker.images, marker.seconds) for marker in whole),
        pace=_throughput(store, markers, problems),
        problems=tuple(problems),
    )


def _numbered(
    store: Store,
    folder: str,
    kind: type[Found],
    largest: int,
    shards: int,
    wrong: Callable[[int, Found], str],
    problems: list[str],
) -> Iterator[tuple[int, Found]]:
    """What ``folder/NNNNN.json`` say, by number; what cannot be used is noted."""
    names = [name for name in store.names(f"{folder}/") if name.endswith(".json")]
    for name, content in zip(names, store.get_each(names, at_most=largest), strict=True):
        number = NUMBERED.fullmatch(name)
        try:
            if not number or int(number[1]) >= shards:
                raise InputError(f"expected the number of a shard below {shards:,}")
            if isinstance(content, InputError):
                raise content
            found = kind.read(content, name)
            if reason := wrong(int(number[1]), found):
                raise InputError(reason)
            yield int(number[1]), found
        except MissingError:  # it went away meanwhile
            continue
        except InputError as error:
            problems.append(f"{name} is left out: {str(error).removeprefix(f'{name}: ')}")


def _by_name(workers: Iterable[WorkerTotals]) -> tuple[WorkerTotals, ...]:
    """One for each name."""
    by_name: dict[str, list[WorkerTotals]] = {}
    for worker in workers:
        by_name.setdefault(worker.name, []).append(worker)
    return tuple(
        WorkerTotals(name, sum(w.shards for w in own), sum(w.images for w in own), math.fsum(w.seconds for w in own))
        for name, own in sorted(by_name.items())
    )


def _throughput(store: Store, markers: Mapping[int, ShardRecord], problems: list[str]) -> Throughput | None:
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
    return Throughput(since, last, len(done), images, (last - since).total_seconds())


def _time(event: EventRecord) -> datetime | None:
    try:
        moment = datetime.fromisoformat(event.time)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):  # the first or the last day of the calendar, elsewhere
        return None
