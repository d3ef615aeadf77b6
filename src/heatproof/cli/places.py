"""Where a run is written: a folder or a URL."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from heatproof.cli.keys import InFile
from heatproof.cli.shell import shell_line
from heatproof.errors import InputError
from heatproof.runs.lock import locked
from heatproof.runs.store import LocalStore, Store, open_store

RunPlace = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER|URL",
        help="For the run; with the same configuration it goes on where it was left.",
    ),
    InFile(path="(.+)"),
]


def prepared(out: str, *, overwrite: bool) -> Store:
    """The store of a run that may be begun or gone on with.

    Raises:
        InputError: if something else is there.
    """
    from heatproof.runs.directory import check_free
    from heatproof.runs.run_record import RECORD

    store = open_store(out)
    there = store.exists(RECORD)
    if there and overwrite:
        with written_by_us(store):
            _delete(store)
    elif not there and isinstance(store, LocalStore):
        check_free(store.path)
    elif not there and store.names():
        raise InputError(f"{out!r} is not empty, and no run; choose another --out")
    return store


@contextmanager
def written_by_us(store: Store) -> Iterator[None]:
    """Holds the lock of a run in a folder; URLs have none. A run that never began leaves nothing."""
    from heatproof.runs.run_record import RECORD

    begun = store.exists(RECORD)
    try:
        with locked(store.path) if isinstance(store, LocalStore) else nullcontext():
            yield
    finally:
        if not begun and not store.exists(RECORD):
            _delete(store)


def command_line() -> str:
    """The command that runs, to be given again."""
    return shell_line(["heatproof", *sys.argv[1:]])


def _delete(store: Store) -> None:
    if isinstance(store, LocalStore):
        shutil.rmtree(store.path, ignore_errors=True)
        return
    for name in store.names():
        store.delete(name)
