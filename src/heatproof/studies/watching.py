"""Where a study is, and where its time goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from heatproof.options.perturbing import OnTotal
from heatproof.perturbation import Engine
from heatproof.results.work import Work

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
    """Adds up evaluations for whoever watches.

    Args:
        watcher: called with the evaluations done, and those in all.
        parts: how many parts there will be, each with about as many evaluations as the first.
    """

    def __init__(self, watcher: OnTotal | None, parts: int = 1) -> None:
        self.total = self.done = 0
        self.watcher, self.parts = watcher, parts

    def begin(self, evaluations: int) -> None:
        """A part begins that takes so many, as all that are left are expected to."""
        self.total = self.done + evaluations * self.parts
        self.parts = max(1, self.parts - 1)
        self.add(0)

    def add(self, evaluations: int) -> None:
        """So many more are done."""
        self.done += evaluations
        if self.watcher:
            self.watcher(self.done, self.total)
