"""Whatever comes is read, or refused with an InputError: nothing else is raised, hangs, swells, or writes elsewhere.

A run in CI takes the same inputs each time. ``HEATPROOF_FUZZ=100 pytest tests/fuzz`` tries a hundred times as many, new
ones each time. How many were tried is printed at the end.
"""

import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, settings

from heatproof.errors import InputError

TIMES = int(os.environ.get("HEATPROOF_FUZZ", "1"))
SECONDS = 20  # for one input; most take milliseconds
MOST_BYTES = 500_000_000  # that one input may add to the process' peak
STRICT_SECONDS, STRICT_BYTES = 2, 200_000_000
TRIED: Counter[str] = Counter()
REFUSED: Counter[str] = Counter()
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree"}
_FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.bind"}


class HangError(BaseException):
    """An input took too long; not an Exception, since those may be caught on the way."""


class Judge:
    """Watches what the process does with one input after the other.

    Args:
        folder: the only place where anything may be written.
    """

    def __init__(self, folder):
        self.folder = folder.resolve()
        self.numbers = count()
        self.watching = False
        self.offences = []
        sys.addaudithook(self._audit)  # cannot be taken away again, so that it only looks while it is asked to

    def file(self, content, ending=""):
        """A file with this content, by a new name."""
        path = self.folder / f"{next(self.numbers)}{ending}"
        path.write_bytes(content)
        return path

    @contextmanager
    def strictly(self, kind):
        """One made-up input of a kind: as :meth:`judging`, in two seconds of computing, and 200 MB at most."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, started = _peak_now(), process_time()
        with self.judging(kind):
            yield
        assert process_time() - started < STRICT_SECONDS
        assert _peak_now() - before < STRICT_BYTES

    @contextmanager
    def judging(self, kind):
        """One input of a kind; an InputError is an answer."""
        TRIED[kind] += 1
        self.offences.clear()
        before = _peak()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        self.watching = True
        try:
            yield
        except InputError as error:
            REFUSED[kind] += 1
            if not str(error).strip():
                self.offences.append(("an error without a message", kind))
        finally:
            self.watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        assert self.offences == []
        assert _peak() - before < MOST_BYTES

    def _audit(self, event, arguments):
        if not self.watching:
            return
        if event in _FORBIDDEN:
            self.offences.append((event, repr(arguments)[:200]))
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._check(event, arguments[0])
        if event in _CHANGING:
            self._check(event, arguments[0])

    def _check(self, event, path):
        if isinstance(path, str | bytes | os.PathLike):
            place = Path(os.fsdecode(path)).absolute()
            if not place.is_relative_to(self.folder) and place != Path(os.devnull):
                self.offences.append((event, str(place)))


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peak_now():
    """The peak since it was cleared; where it cannot be, since the process began."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return _peak()


def _hang(*_):
    raise HangError(f"more than {SECONDS} seconds")


@pytest.fixture(scope="session")
def _one_judge(tmp_path_factory):
    judge = Judge(tmp_path_factory.mktemp("fuzz"))
    before, temporary = signal.signal(signal.SIGALRM, _hang), tempfile.tempdir
    tempfile.tempdir = str(judge.folder)
    yield judge
    tempfile.tempdir = temporary
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def judge(_one_judge, monkeypatch):
    monkeypatch.chdir(_one_judge.folder)
    yield _one_judge
    for path in _one_judge.folder.iterdir():
        if path.is_file():
            path.unlink()


def pytest_configure(config):
    settings.register_profile(
        "fuzz",
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def pytest_terminal_summary(terminalreporter):
    if TRIED:
        terminalreporter.section("fuzzing")
        for kind, tried in sorted(TRIED.items()):
            terminalreporter.line(f"{kind}: {tried:,} inputs, {REFUSED[kind]:,} refused")
        terminalreporter.line(f"all: {sum(TRIED.values()):,} inputs")
