"""Checks of the paths and URLs that a user gives to write to: which are refused, and why."""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from heatproof.errors import InputError
from heatproof.json_objects import json_object
from heatproof.runs.atomic_files import LEFTOVER, disk_errors, put_new_file
from heatproof.runs.ledger import LEDGER, LOCK, is_ledger, unrecorded_files
from heatproof.runs.objects import LARGEST_RECORD, RECORD, Store
from heatproof.runs.store import LocalStore, open_store

NAMED = 3  # files that a message names


def opened(out: str | Path) -> Store:
    """The folder or URL that a user named, with ``~`` expanded; InputError for what can be neither."""
    text = str(out)
    if not text.strip() or "\0" in text:
        raise InputError(f"expected a path or URL to write to (--out), got {text!r}")
    store = open_store(out)
    if not isinstance(store, LocalStore):
        return store
    expanded = os.path.expanduser(text)  # noqa: PTH111 - never raises
    if expanded.startswith("~"):
        raise InputError(f"there is no user {expanded.split('/')[0]!r}; a folder of that name is given as ./{expanded}")
    folder = LocalStore(Path(expanded)) if expanded != text else store
    try:
        if folder.path.is_symlink() and not folder.path.exists():
            raise InputError(f"{text!r} is a broken link; remove it, or choose another --out")
    except OSError as error:  # such as a name that is too long
        raise InputError(f"{text!r:.80} cannot be written to: {error.strerror}; choose another --out") from error
    return folder


def check_new_file(out: str | Path, inputs: Sequence[Path] = ()) -> Path:
    """The path of a file to write; InputError if it is there, has no folder, or would lie in what is read."""
    store = opened(out)
    if not isinstance(store, LocalStore):
        raise InputError(f"expected a file to write, got the URL {store}")
    if store.path.exists():
        raise InputError(f"{str(out)!r} exists already; choose another name")
    if not store.path.parent.is_dir():
        raise InputError(f"there is no folder {str(Path(str(store)).parent)!r} to write into")
    check_apart(Path(os.path.realpath(store.path)), str(out), inputs)
    return store.path


def write_file(out: str | Path, data: bytes) -> None:
    """Writes a file that must not be there yet (InputError); it appears complete or not at all."""
    if not put_new_file(check_new_file(out), data):
        raise InputError(f"{str(out)!r} exists already; choose another name")


def check_url(store: Store, *, overwrite: bool, resumes: bool) -> None:
    """Refuses a URL where something lies that is not resumed: nothing can be moved aside there."""
    if store.exists(RECORD):
        if overwrite:
            raise InputError(f"{store} holds a run, and nothing under a URL is overwritten; choose another --out")
        if not resumes:
            raise InputError(f"{store} holds a run; choose another --out")
    elif store.names():
        raise InputError(f"expected an empty folder or a run at {store}, got other files; choose another --out")


def check_apart(folder: Path, out: str, inputs: Sequence[Path]) -> None:
    """Refuses a folder that contains the current one or an input, or lies in an input."""
    if Path.cwd().is_relative_to(folder):
        raise InputError(f"{out!r} is the current folder or contains it; choose another --out")
    for given in inputs:
        path = Path(os.path.realpath(given))
        if path.is_relative_to(folder):
            raise InputError(f"{out!r} contains the input {str(given)!r}; choose another --out")
        if folder.is_relative_to(path):
            raise InputError(f"{out!r} lies in the input {str(given)!r}; choose another --out")


def is_taken(folder: Path) -> bool:
    """Whether something is there, other than what a run leaves that was killed before it began."""
    if not folder.is_dir():
        return os.path.lexists(folder)
    with disk_errors("read", folder):
        names = {path.name for path in folder.iterdir() if not LEFTOVER.fullmatch(path.name)}
        return not names <= {LOCK, LEDGER} or next(unrecorded_files(folder), None) is not None


def has_ledger(store: LocalStore) -> bool:
    """Whether a folder holds a run that has a ledger."""
    return store.exists(RECORD) and is_ledger(store.path / LEDGER)


def is_run(store: LocalStore) -> bool:
    """Whether a folder holds a run; those of earlier versions have no ledger."""
    if has_ledger(store):
        return True
    try:
        versions = json_object(store.get(RECORD, at_most=LARGEST_RECORD), RECORD).get("versions")
    except InputError:  # there is none, or nothing that heatproof could have written
        return False
    return isinstance(versions, dict) and "heatproof" in versions


def refuse_taken(folder: Path, out: str) -> None:
    """Says why a folder that is taken cannot be written to."""
    if not folder.is_dir():
        raise InputError(f"{out!r} is a file; expected a folder to write into: choose another --out")
    hint = ", or replace the result there with --overwrite" if is_ledger(folder / LEDGER) else ""
    raise InputError(f"{out!r} exists already and is not empty; choose another --out{hint}")


def check_overwritable(folder: Path, out: str) -> None:
    """Refuses to replace what heatproof did not write."""
    if not is_ledger(folder / LEDGER):
        raise InputError(
            f"{out!r} cannot be overwritten: it has no {LEDGER}, heatproof's list of the files that it wrote; "
            "choose another --out"
        )
    with disk_errors("read", folder):
        named = list(islice(unrecorded_files(folder), NAMED + 1))
    if named:
        more = " and more" if len(named) > NAMED else ""
        raise InputError(
            f"{out!r} holds files that heatproof did not write, or that were changed since: "
            f"{', '.join(map(repr, named[:NAMED]))}{more}; "
            "move them away, or choose another --out"
        )
