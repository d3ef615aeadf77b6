"""Where a study is, and where its time goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from heatproof.perturbation import Engine
from heatproof.studies.work import Work

OnTotal = Callable[[int, int], None]  # called with the evaluations done and those in all
T = TypeVar("T")


class Clock:
    """Adds up where the time goes."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.seconds = {"heatmaps": 0.0, "perturbation": 0.0}

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        """What is done in this context counts for "heatmaps" or "perturbation"."""
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started

    def timed(self, what: str, values: Iterator[T]) -> Iterator[T]:
        """The values; making them is timed, what is done with them is not."""
        while True:
            with self.timing(what):
                value = next(values, None)
            if value is None:
                return
            yield value

    def work(self, evaluations: int, engine: Engine) -> Work:
        """What was done until now."""
        seconds = time.perf_counter() - self.started
        return Work(evaluations, self.seconds["heatmaps"], self.seconds["perturbation"], seconds, engine)


class Progress:
    """Adds up evaluations for whoever watches."""

    def __init__(self, total: int, watcher: OnTotal | None) -> None:
        self.total = total
        self.done = 0
        self.watcher = watcher

    def expect(self, total: int) -> None:
        """So many are expected in all, by now."""
        self.total = total
        self.add(0)

    def add(self, evaluations: int) -> None:
        """So many more are done."""
        self.done += evaluations
        if self.watcher:
            self.watcher(self.done, self.total)
