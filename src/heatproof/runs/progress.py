"""How far a run is."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from heatproof.runs.lock import Holder

State = Literal["finished", "running", "stopped", "unknown"]


@dataclass(frozen=True)
class Failure:
    """A shard that was set aside."""

    shard: int
    error: str
    tries: int
    worker: str


@dataclass(frozen=True)
class Worker:
    """What one worker did: whole shards, their images, and the seconds that these took."""

    name: str
    shards: int
    images: int
    seconds: float


@dataclass(frozen=True)
class Pace:
    """How fast the run was since it was last started.

    Attributes:
        since: when it was started, or continued.
        last: when the last shard was done.
        shards: done since.
        images: done since, skipped ones included.
        seconds: from start to the last shard.
    """

    since: datetime
    last: datetime
    shards: int
    images: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        place: folder or URL.
        study: which study it is.
        data: name of the data set.
        state: ``unknown`` under a URL, which has no lock.
        holder: the process that writes it, if one does.
        members: of the data set.
        shards: how many there are to do.
        whole: how many are done.
        failed: those set aside.
        images: that were evaluated.
        skipped: that could not be read.
        evaluations: of the network.
        seconds: of computing, all workers together.
        workers: who did it.
        pace: None before a shard was done.
        problems: what lies in the run and cannot be used.
    """

    place: str
    study: str
    data: str
    state: State
    holder: Holder | None
    members: int
    shards: int
    whole: int
    failed: tuple[Failure, ...]
    images: int
    skipped: int
    evaluations: int
    seconds: float
    workers: tuple[Worker, ...]
    pace: Pace | None
    problems: tuple[str, ...]

    @property
    def left(self) -> int:
        """Shards that are still to do."""
        return max(self.shards - self.whole - len(self.failed), 0)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this session; None where there is none."""
        if not self.left or self.state == "finished":
            return 0.0
        return self.pace.seconds / self.pace.shards * self.left if self.pace else None

    @property
    def images_per_second(self) -> float | None:
        """Of this session."""
        return self.pace.images / self.pace.seconds if self.pace else None

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        pace = self.pace and asdict(self.pace) | {
            "since": self.pace.since.isoformat(),
            "last": self.pace.last.isoformat(),
        }
        return asdict(self) | {
            "pace": pace,
            "left": self.left,
            "seconds_left": self.seconds_left,
            "images_per_second": self.images_per_second,
        }
