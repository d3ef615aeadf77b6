"""Standard output and standard error, which may be full, closed, or a pipe without a reader."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

UNREAD = (errno.EPIPE, errno.EBADF)


class UndeliveredError(BaseException):
    """The output could not be delivered; like Ctrl-C, this ends the command.

    Attributes:
        stream: "standard output" or "standard error".
        reason: the system's message; none if the reader closed the stream.
    """

    def __init__(self, stream: str, error: OSError | ValueError) -> None:
        super().__init__(stream)
        self.stream = stream
        full = isinstance(error, OSError) and error.errno not in UNREAD
        self.reason = (getattr(error, "strerror", None) or str(error)) if full else None


class Outlet:
    """A stream whose failures raise ``UndeliveredError``, unlike those of files and sockets.

    Attributes:
        name: "standard output" or "standard error".
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self.name, self._used = stream, name, True

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Calls the stream; a failure ends the command."""
        return int(self._tried(lambda: self._stream.write(text)))

    def writelines(self, lines: Any) -> None:  # noqa: ANN401 - as the stream's
        """Calls the stream; a failure ends the command."""
        self._tried(lambda: self._stream.writelines(lines))

    def flush(self) -> None:
        """Calls the stream; a failure ends the command."""
        self._tried(self._stream.flush)

    def release(self) -> None:
        """Behaves as the stream from now on: loggers keep what was there when they were made."""
        self._used = False

    def abandon(self) -> None:
        """Throws away what could not be delivered, lest Python tries again when it ends."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()

    def _tried(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the stream returns
        try:
            return call()
        except UnicodeError:
            raise
        except (OSError, ValueError) as error:  # a ValueError where somebody closed it
            if not self._used:
                raise
            raise UndeliveredError(self.name, error) from error


@contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Puts outlets into the place of both streams; a standard output that was closed is one that nobody reads."""
    _occupy()
    before = sys.stdout, sys.stderr
    out, err = Outlet(sys.stdout, "standard output"), Outlet(sys.stderr, "standard error")
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before
        out.release()
        err.release()


def _occupy() -> None:
    """Opens what was closed before Python began: the next file would get its number, and all that is printed."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - for as long as the process lives
    if sys.stdout is None:
        read, write = os.pipe()
        os.close(read)
        sys.stdout = open(write, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as above
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as above
