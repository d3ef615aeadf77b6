"""Workers on Ray: processes on this machine or a cluster, any of which may die."""

import importlib
import os
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from types import ModuleType
from typing import Any, Self

import torch

from heatproof.errors import InputError
from heatproof.runs.ray_session import check_ray, ray_session
from heatproof.runs.workers import Attempt, Done, Make, Shard, Workers, attempt, checked_tries, described, this_worker

IN_FLIGHT = 2  # shards that a worker has: the one it computes, and the next
PATIENCE = 60  # seconds without any worker after which to say so
LONGEST_CAUSE = 1000  # characters of what Ray says about a death


@dataclass(eq=False)
class RayWorkers(Workers):
    """Processes that Ray starts and watches, each of which makes the function once.

    Results are delivered as they come. A worker has at most two shards, so that what is computed and not yet delivered
    is bounded. Where a worker or its machine dies, another one is started if there is room, and its shards go to the
    others; the shard that it was computing has used one of its tries. A worker that hangs is not noticed.

    Args:
        make: returns the function that computes one shard. It is pickled by Ray, sent to every worker, and called
            there; what it imports must be installed there.
        address: of a running Ray, as ``ray start --head`` prints it, or "auto". None starts one on this machine, which
            listens on loopback only and is shut down at the end; if this process is connected to a Ray already, that
            one is used.
        count: how many workers; None takes as many as there is room for at the start. More start as machines join.
        cores: CPU cores (and torch threads) of each worker.
        gpus: GPUs of each worker, also parts of one. None gives one to each if the cluster has any.
        tries: how often a shard is tried before it is given up, and how many workers in a row may fail to start.
        logs: whether Ray and the workers may print.

    Raises:
        InputError: if Ray is missing, or something asked for makes no sense.
    """

    make: Make
    address: str | None = None
    count: int | None = None
    cores: int = 1
    gpus: float | None = None
    tries: int = 3
    _: KW_ONLY
    logs: bool = False
    _afterwards: ExitStack = field(default_factory=ExitStack, init=False)
    _crew: "Crew | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_ray()
        checked_tries(self.tries)
        if self.cores < 1 or (self.count is not None and self.count < 1) or (self.gpus is not None and self.gpus < 0):
            raise InputError(
                f"workers need at least one core each; got count={self.count}, cores={self.cores}, gpus={self.gpus}"
            )

    def __enter__(self) -> Self:
        """Starts or joins Ray; workers start with the first run.

        Raises:
            InputError: if Ray cannot be joined, or has no room for a worker.
        """
        cores = max(len(os.sched_getaffinity(0)), (self.count or 1) * self.cores)
        with ExitStack() as started:
            ray = started.enter_context(ray_session(self.address, cores, logs=self.logs))
            gpus, room = _room(ray, self.cores, self.gpus)
            if not (self.count or room):
                raise InputError(
                    f"no machine of this Ray has {self.cores} cores and {gpus:g} GPUs for a worker; "
                    "ask for fewer, or give count to wait until machines join"
                )
            options = {"num_cpus": self.cores, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
            self._crew = Crew(
                ray=ray,
                recruit=ray.remote(_Worker).options(**options).remote,
                make=ray.cloudpickle.dumps(self.make),
                cores=self.cores,
                most=self.count or room,
                tries=self.tries,
            )
            started.callback(self._crew.dismiss)
            self._afterwards = started.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._crew = None
        self._afterwards.close()

    def run(self, numbers: Sequence[int], on_done: Callable[[Done], None]) -> None:
        """Computes ``numbers`` in any order; see ``Workers.run``.

        Raises:
            InputError: if ``tries`` workers in a row cannot start and none is left, and the caller can mend why.
            RuntimeError: likewise, for another reason.
        """
        if self._crew is None:
            with self:
                return self.run(numbers, on_done)
        try:
            for done in self._crew.compute(numbers):
                on_done(done)
        except BaseException:
            self._crew.dismiss()  # they may be busy with shards that nobody waits for
            raise
        return None


class _Worker:
    """What runs in a process of its own."""

    def __init__(self, make: bytes, cores: int) -> None:
        self._make = make
        self._cores = cores
        self._shard: Shard

    def start(self) -> Attempt:
        """Makes the function; the value is the worker's name."""

        def begin(_: int) -> str:
            torch.set_num_threads(self._cores)
            self._shard = importlib.import_module("ray.cloudpickle").loads(self._make)()
            return this_worker()

        return attempt(begin, 0)

    def compute(self, number: int) -> Attempt:
        """Tries one shard. Errors come back as text, so that no exception needs to be unpickled elsewhere."""
        return attempt(self._shard, number)


@dataclass(eq=False)
class _Member:
    """A worker with its calls, in the order in which it answers them: its start (None), and the shards it was given."""

    actor: Any
    calls: deque[tuple[Any, int | None]]
    since: float  # when it was free for the first of them
    name: str = ""  # once it has started


@dataclass(eq=False)
class Crew:
    """The workers there are, and who does what.

    A worker computes its shards one after the other, so the first of them is the one to wait for, and the one that it
    was computing when it died.
    """

    ray: ModuleType
    recruit: Callable[[bytes, int], Any]
    make: bytes
    cores: int
    most: int
    tries: int
    members: list[_Member] = field(default_factory=list)
    failures: list[Attempt] = field(default_factory=list)  # starts that failed in a row

    def compute(self, numbers: Sequence[int]) -> Iterator[Done]:
        """Yields what became of each number, as it comes."""
        waiting = deque(numbers)
        tried: Counter[int] = Counter()
        left = len(waiting)
        while left:
            self._grow(min(self.most, left))
            self._feed(waiting)
            for member in self._ready():
                number, result = self._collect(member, waiting)
                if number is None:
                    continue
                tried[number] += 1
                if result.error is not None and not result.final and tried[number] < self.tries:
                    waiting.append(number)
                    continue
                left -= 1
                self._feed(waiting)  # nobody idles while the caller writes
                yield Done(number, result.value, result.error, tried[number], result.seconds, member.name)

    def dismiss(self) -> None:
        """Ends all workers, whatever they do."""
        while self.members:
            self._end(self.members[-1])

    def _grow(self, wanted: int) -> None:
        if len(self.failures) >= self.tries and not self.members:
            last = self.failures[-1]
            self.failures.clear()
            kind = InputError if last.final else RuntimeError
            raise kind(f"{self.tries} workers in a row could not be started; the last one: {last.error}")
        while len(self.members) < wanted and len(self.failures) < self.tries:
            actor = self.recruit(self.make, self.cores)
            self.members.append(_Member(actor, deque([(actor.start.remote(), None)]), time.perf_counter()))

    def _feed(self, waiting: deque[int]) -> None:
        """Gives everyone a shard, and then a second one as long as there are enough for all."""
        started = [member for member in self.members if member.name]
        for full in range(1, IN_FLIGHT + 1):
            for member in started:
                enough = full == 1 or len(waiting) >= len(started)
                if waiting and enough and len(member.calls) < full:
                    number = waiting.popleft()
                    member.since = member.since if member.calls else time.perf_counter()
                    member.calls.append((member.actor.compute.remote(number), number))

    def _ready(self) -> list[_Member]:
        """Workers whose first call is answered."""
        first = {member.calls[0][0]: member for member in self.members if member.calls}
        ready, _ = self.ray.wait([*first], num_returns=1, timeout=PATIENCE)
        if not ready and not any(member.name for member in self.members):
            warnings.warn("no worker has started yet: does the cluster have room for one?", stacklevel=4)
        return [first[call] for call in ready]

    def _collect(self, member: _Member, waiting: deque[int]) -> tuple[int | None, Attempt]:
        """The first call's number and result. A dead worker's other shards wait again, in front."""
        call, number = member.calls.popleft()
        result, dead = self._get(call, member.since)
        member.since = time.perf_counter()
        if number is None and result.error is None:
            self.failures.clear()
            member.name = result.value
        elif number is None:
            self.failures.append(result)
        if dead or not member.name:
            waiting.extendleft(other for _, other in reversed(member.calls) if other is not None)
            self._end(member)
        return number, result

    def _get(self, call: object, since: float) -> tuple[Attempt, bool]:
        """What a worker returned, and whether it is dead."""
        try:
            result: Attempt = self.ray.get(call)
        except self.ray.exceptions.RayActorError as error:
            told, dead = f"the worker died: {str(error)[:LONGEST_CAUSE]}", True
        except Exception as error:  # the value could not be sent, or its machine died with it
            told, dead = described(error), False
        else:
            return result, False
        return Attempt(None, told, False, time.perf_counter() - since), dead

    def _end(self, member: _Member) -> None:
        self.members.remove(member)
        self.ray.kill(member.actor, no_restart=True)


def _room(ray: ModuleType, cores: int, gpus: float | None) -> tuple[float, int]:
    """GPUs of each worker, and how many workers all machines have room for."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        gpus = float(any(machine.get("GPU", 0) >= 1 for machine in machines))
    rooms = [machine.get("CPU", 0) // cores for machine in machines]
    if gpus:
        rooms = [min(room, machine.get("GPU", 0) // gpus) for room, machine in zip(rooms, machines, strict=True)]
    return gpus, int(sum(rooms))
