"""Where a command writes: a new folder, a run that it resumes, or an earlier result that it replaces at the end.

What replaces something is written beside it, in a hidden folder, and takes its name when it is complete. Only files
that heatproof wrote are ever deleted; see :mod:`heatproof.runs.ledger`.
"""

import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from heatproof.errors import InputError
from heatproof.runs.atomic_files import disk_errors, sync_folder
from heatproof.runs.ledger import LEDGER, LOCK, begin_ledger, delete_written, is_ledger, unrecorded_files
from heatproof.runs.lock import locked
from heatproof.runs.objects import RECORD, Store, StoreError
from heatproof.runs.output_paths import (
    check_apart,
    check_overwritable,
    check_url,
    has_ledger,
    is_run,
    is_taken,
    opened,
    refuse_taken,
)
from heatproof.runs.store import LocalStore

NEW, REPLACED = "heatproof-new", "heatproof-replaced"  # ends of the hidden folders' names


@contextmanager
def destination(
    out: str | Path, *, overwrite: bool = False, inputs: Sequence[Path] = (), resumes: bool = False
) -> Iterator[Store]:
    """Holds a place to write a result into; what it cannot be is refused before anything is changed.

    A folder appears complete or not at all; or, with ``resumes``, is written in place, and one that holds a run is
    given as it is. An earlier result is there until the new one is complete.

    Args:
        out: a folder, or a URL.
        overwrite: whether an earlier result may be replaced.
        inputs: what the command reads.
        resumes: whether a run in ``out`` is resumed, and one that stops is left there.

    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "RUN"
    >>> with destination(out) as store:
    ...     store.put("table.csv", b"a,b")
    >>> sorted(path.name for path in out.iterdir())
    ['table.csv', 'written.jsonl']

    Raises:
        InputError: if the place is taken, holds files that heatproof did not write, or contains or lies in an input.
        StoreError: if the disk refuses.
    """
    store = opened(out)
    if not isinstance(store, LocalStore):
        check_url(store, overwrite=overwrite, resumes=resumes)
        yield store
        return
    folder = Path(os.path.realpath(store.path))
    check_apart(folder, str(out), inputs)
    with disk_errors("written", folder):
        _complete_renames(folder)
    taken = is_taken(folder)
    if taken and overwrite:
        check_overwritable(folder, str(out))
    elif taken and not (resumes and is_run(store)):
        refuse_taken(folder, str(out))
    if resumes and not overwrite:
        with _in_place(store):
            yield store
    else:
        with _beside(folder, replaces=taken, keeps_record=resumes) as beside:
            yield beside


def written_again(store: Store) -> AbstractContextManager[None]:
    """Holds the lock of a run whose derived files are made again; URLs have none, and what is no run gets none."""
    return locked(store.path) if isinstance(store, LocalStore) and is_run(store) else nullcontext()


@contextmanager
def _in_place(store: LocalStore) -> Iterator[None]:
    """A run that stops is left to be resumed; one that never began leaves nothing."""
    before = {path.name for path in store.path.iterdir()} if store.path.is_dir() else None
    made = _first_missing(store.path)
    with locked(store.path):
        begun = store.exists(RECORD)
        if not begun and is_taken(store.path):  # somebody was faster
            refuse_taken(store.path, str(store))
        try:
            if not begun:
                begin_ledger(store.path)
            yield
        finally:
            if not store.exists(RECORD):
                _remove_written(store.path, made, spare=before)


@contextmanager
def _beside(folder: Path, *, replaces: bool, keeps_record: bool) -> Iterator[LocalStore]:
    """A hidden folder beside it, which takes its name in the end."""
    new, old = LocalStore(_hidden(folder, NEW)), _hidden(folder, REPLACED)
    made, complete, held = _first_missing(new.path), False, (folder / LOCK).exists()
    with ExitStack() as locks:
        if not is_ledger(new.path / LEDGER):
            _check_free(new.path)
        if folder.exists() and os.path.lexists(old):
            raise InputError(f"{str(old)!r} is in the way; move it away")
        if os.path.ismount(folder):
            raise InputError(f"{str(folder)!r} is a mount point, which nothing can replace; choose a folder in it")
        if held:
            locks.enter_context(locked(folder))
        locks.enter_context(locked(new.path))
        try:
            if not (keeps_record and has_ledger(new)):
                begin_anew(new)
            yield new
            complete = True
            _swap(new.path, folder, replaces=replaces, keeps_lock=keeps_record, held=held)
        finally:
            if not complete and not (keeps_record and has_ledger(new)):
                _remove_written(new.path, made or new.path)


def begin_anew(store: Store) -> None:
    """Deletes what heatproof wrote into a folder that it holds, where nothing else may lie; begins another ledger."""
    assert isinstance(store, LocalStore), "nothing is overwritten under a URL"
    with disk_errors("deleted", store.path):
        _check_free(store.path)
        delete_written(store.path, spare=[LOCK])
        begin_ledger(store.path)


def _check_free(folder: Path) -> None:
    named = next(unrecorded_files(folder), None)
    if named:
        raise InputError(f"{str(folder / named)!r} is in the way, and was not written by heatproof; move it away")


def _first_missing(folder: Path) -> Path | None:
    """The topmost folder that must be made for it."""
    return next((path for path in reversed([folder, *folder.parents]) if not path.exists()), None)


def _remove_written(folder: Path, made: Path | None, spare: Collection[str] | None = None) -> None:
    """Deletes what was written into a folder but for what it had (``spare``), and folders from ``made`` down to it."""
    with suppress(OSError):
        delete_written(folder, spare or ())
        if spare is None:
            folder.rmdir()
        while made is not None and folder != made:
            folder = folder.parent
            folder.rmdir()


def _swap(new: Path, folder: Path, *, replaces: bool, keeps_lock: bool, held: bool) -> None:
    """Gives the new folder the name of the old one, which is deleted then; nobody may be writing that one."""
    old = _hidden(folder, REPLACED)
    try:
        _check_as_it_was(folder, replaces=replaces)
        with nullcontext() if held or not folder.exists() else locked(folder):
            _check_as_it_was(folder, replaces=replaces)  # whoever held the lock until now may have written
            if not keeps_lock:
                (new / LOCK).unlink()
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
            sync_folder(folder.parent)
    except (InputError, OSError) as error:
        kept = new.with_name(f"{new.name}-{secrets.token_hex(4)}")  # where no later command writes
        with suppress(OSError):
            new = new.rename(kept)
        raise StoreError(
            f"{str(folder)!r} could not be written: {error}; the result is complete, and lies in {str(new)!r}"
        ) from error
    if old.exists():
        _delete(old)


def _check_as_it_was(folder: Path, *, replaces: bool) -> None:
    if replaces:
        check_overwritable(folder, str(folder))
    elif is_taken(folder):
        raise InputError("another process wrote there meanwhile")


def _complete_renames(folder: Path) -> None:
    """Completes what a command that was killed between two renames left."""
    old = _hidden(folder, REPLACED)
    with suppress(OSError):
        old.rmdir()  # the last that was to be deleted
    if is_ledger(old / LEDGER):
        if not is_taken(folder):
            old.rename(folder)
        elif is_ledger(folder / LEDGER):  # and not what others put there while it was away
            _delete(old)


def _delete(folder: Path) -> None:
    """Deletes what heatproof wrote, and the folder if nothing else lies in it."""
    delete_written(folder)
    with suppress(OSError):
        folder.rmdir()


def _hidden(folder: Path, end: str) -> Path:
    return folder.with_name(f".{folder.name}.{end}")
