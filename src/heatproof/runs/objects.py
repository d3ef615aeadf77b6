"""Stores of objects: bytes by name, each complete or absent, even where the process that writes it is killed."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from heatproof.errors import InputError

PART = r"(?![^/]*\.partial(?:/|$))[A-Za-z0-9_][A-Za-z0-9_.,=+@-]{0,199}"
NAME = re.compile(f"{PART}(?:/{PART})*")
RECORD = "run.json"  # of a run
PLANTED_RUN = "planted"  # folder of a run of planted truth, in that of a comparison
KEPT = "what was finished is kept"
# bytes that are read at most, far more than a run of all ImageNet writes
LARGEST_OBJECT = 2**28  # of whatever has no limit of its own, and of all that is read at once
LARGEST_RECORD = 2**28  # run.json, which names every image
LARGEST_MARKER = 2**22  # of a shard or the audit
LARGEST_FAILURE = 2**20
LARGEST_LOG = 2**26
LARGEST_LINE = 2**20  # of the log
LARGEST_TABLE = 2**28
LARGEST_STATISTICS = 2**28


class StoreError(OSError):
    """A disk or a service failed. The message says which object, why, and what to do; nothing is half written."""


class MissingError(InputError):
    """There is no such object."""


class Store(ABC):
    """Objects (bytes) by name.

    A name is a relative path of parts with slashes between them: ASCII letters, digits and ``_ . , = + @ -``, each part
    beginning with a letter, a digit or ``_``, none ending in ``.partial``. Nothing else is taken, so no name leads out.
    A store holds no connection and no state of its own, and can be sent to another process.

    Raises:
        InputError: where a name cannot be one, or leads out of the folder through a link; where an object is larger
            than what was asked for.
        StoreError: where the disk or the service fails.
    """

    description: str

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Writes an object, or replaces it; readers meanwhile get the old object or the new one."""

    @abstractmethod
    def get(self, name: str, *, at_most: int = LARGEST_OBJECT) -> bytes:
        """An object's content; MissingError if there is none, InputError if it has more than ``at_most`` bytes."""

    def get_each(self, names: Sequence[str], *, at_most: int = LARGEST_OBJECT) -> Iterator[bytes | InputError]:
        """The content of each object, or the error that ``get`` would raise; only some are in memory at once."""
        for name in names:
            found: bytes | InputError
            try:
                found = self.get(name, at_most=at_most)
            except InputError as error:
                found = error
            yield found

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is such an object."""

    @abstractmethod
    def names(self, prefix: str = "") -> list[str]:
        """Names that begin with ``prefix``, sorted; leftovers of killed writers are none."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Deletes an object, if there is one."""

    @abstractmethod
    def sweep(self) -> int:
        """Deletes what killed writers left, and returns how many; to be called only where nobody else is writing."""

    @abstractmethod
    def within(self, folder: str) -> "Store":
        """The objects whose names begin with ``folder/``, by the rest of their names."""

    def append(self, name: str, line: bytes) -> bool:
        """Adds a line to an object that others add lines to as well; false where that is not possible."""
        return False

    def local_path(self, name: str) -> Path | None:
        """The local path of an object or a folder of that name; None under a URL."""
        checked_name(name)
        return None

    def __str__(self) -> str:
        return self.description

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description!r})"


def cell_of(store: Store, number: int) -> Store:
    """The store of one comparison, in the store of a study that makes several."""
    return store.within(f"cells/{number:05}")


def is_name(name: str) -> bool:
    """Whether an object can have that name.

    >>> is_name("shards/00000.json"), is_name("../shards/00000.json")
    (True, False)
    """
    return NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """The name, or InputError."""
    if not is_name(name):
        raise InputError(
            f"{name!r} cannot name an object of a run: expected parts of at most 200 ASCII letters, digits and _.,=+@- "
            "with slashes between them, each beginning with a letter, a digit or _, none ending in .partial"
        )
    return name
