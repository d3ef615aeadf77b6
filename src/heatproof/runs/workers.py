"""Workers that compute numbered shards: each makes a function once, and calls it with one number after the other."""

import errno
import os
import platform
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from heatproof.errors import InputError

Shard = Callable[[int], Any]
Make = Callable[[], Shard]  # picklable, where workers are other processes

TRACEBACK_LINES = 12
LONGEST_MESSAGE = 10_000  # characters: what a record of a run can hold, and people can read
SAYINGS = ("can't allocate memory", "std::bad_alloc", "out of memory")  # torch's allocators, and libraries below it
REMEDY = (
    "memory ran out: end other programs, or take a machine with more, and give the same command again; or begin "
    "another run with a smaller --memory"
)


@dataclass(frozen=True)
class Attempt:
    """One try at one shard: its value, or its error, which is ``final`` if another try would end the same."""

    value: Any
    error: str | None
    final: bool
    seconds: float


@dataclass(frozen=True)
class Done:
    """What became of a shard."""

    number: int
    value: Any  # what the function returned
    error: str | None  # type, message and last lines of the traceback of what was raised; None if nothing was
    tries: int  # in all
    seconds: float  # of the last try
    worker: str  # the machine and process of the last try


class Workers(AbstractContextManager["Workers"]):
    """Computes shards. Inside ``with`` it keeps what it started from one ``run`` to the next."""

    @abstractmethod
    def run(self, numbers: Sequence[int], on_done: Callable[[Done], None]) -> None:
        """Computes all ``numbers``; calls ``on_done`` exactly once for each, in this thread and in any order.

        A shard that always fails ends as ``Done`` with an error and does not stop the others. What ``on_done`` raises
        stops the run: nothing is delivered afterwards.

        Raises:
            InputError: if workers cannot be made, for a reason that the caller can mend.
        """


class LocalWorkers(Workers):
    """This process, one shard after the other, in order.

    The function is made at the first shard and kept.

    Args:
        make: returns the function that computes one shard.
        tries: how often a shard is tried before it is given up. An ``InputError`` is not tried again.

    Example:
        >>> LocalWorkers(lambda: lambda number: number**2).run([2, 3], lambda done: print(done.number, done.value))
        2 4
        3 9
    """

    def __init__(self, make: Make, tries: int = 2) -> None:
        self._make = make
        self._tries = checked_tries(tries)
        self._shard: Shard | None = None

    def __exit__(self, *raised: object) -> None:
        self._shard = None

    def run(self, numbers: Sequence[int], on_done: Callable[[Done], None]) -> None:
        """Computes ``numbers`` in order; see ``Workers.run``. An exception of ``make`` is passed on."""
        for number in numbers:
            if self._shard is None:
                self._shard = self._make()
            on_done(self._done(self._shard, number))

    def _done(self, shard: Shard, number: int) -> Done:
        tries = 1
        while (tried := attempt(shard, number)).error is not None and not tried.final and tries < self._tries:
            tries += 1
        return Done(number, tried.value, tried.error, tries, tried.seconds, this_worker())


class Direct(LocalWorkers):
    """This process, for results that are kept in memory: the first error ends the study."""

    def _done(self, shard: Shard, number: int) -> Done:
        started = time.perf_counter()
        return Done(number, shard(number), None, 1, time.perf_counter() - started, this_worker())


def attempt(shard: Shard, number: int) -> Attempt:
    """Tries a shard once. An exception becomes an error; KeyboardInterrupt and SystemExit pass through.

    >>> attempt(lambda number: 1 / number, 0).error.splitlines()[0]
    'ZeroDivisionError: division by zero'
    """
    start = time.perf_counter()
    try:
        value, error, final = shard(number), None, False
    except Exception as raised:  # MemoryError too: what the shard held is free again when its frames are
        value, error, final = None, described(raised), isinstance(raised, InputError)
    return Attempt(value, error, final, time.perf_counter() - start)


def described(error: BaseException) -> str:
    """An exception as ``Type: message`` and the last lines of its traceback, as text that keeps no frames alive."""
    try:
        message = str(error)
    except Exception:  # a broken __str__ must not stop the other shards
        message = "(its message cannot be shown)"
    if ran_out(error):
        message = f"{message.strip()}; {REMEDY}" if message else REMEDY
    kind = type(error).__name__
    lines = "".join(traceback.format_tb(error.__traceback__)).splitlines()[-TRACEBACK_LINES:]
    return "\n".join([f"{kind}: {message[:LONGEST_MESSAGE]}" if message else kind, *lines])


def ran_out(error: BaseException) -> bool:
    """Whether it says that there was not enough memory.

    >>> ran_out(MemoryError()), ran_out(RuntimeError("DefaultCPUAllocator: can't allocate memory")), ran_out(KeyError())
    (True, True, False)
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(saying in str(error).lower() for saying in SAYINGS)
    )


def this_worker() -> str:
    """The machine and process that runs this, as ``machine:process``."""
    return f"{platform.node()}:{os.getpid()}"


def checked_tries(tries: int) -> int:
    """``tries``, if a shard is tried at all."""
    if tries < 1:
        raise InputError(f"a shard is tried at least once; got tries={tries}")
    return tries
