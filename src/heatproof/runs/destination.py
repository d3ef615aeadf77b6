"""Where a command writes: a free place, a run that it resumes, or an earlier result that it replaces in the end.

What replaces something is written beside it, in a hidden folder, and takes its name when it is complete. Only files
that heatproof wrote are ever deleted; see :mod:`heatproof.runs.ledger`.
"""

import json
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path

from heatproof.errors import InputError
from heatproof.runs.ledger import LEDGER, LEFTOVER, LOCK, delete_written, is_ledger, strangers
from heatproof.runs.lock import locked
from heatproof.runs.store import LocalStore, Store, StoreError, open_store, put_whole, sync_folder, told

RECORD = "run.json"
NEW, REPLACED = "heatproof-new", "heatproof-replaced"  # ends of the hidden folders' names
NAMED = 3  # files that a message names


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
        yield _at_url(store, overwrite=overwrite, resumes=resumes)
        return
    folder = Path(os.path.realpath(store.path))
    _check_apart(folder, str(out), inputs)
    with told("written", folder):
        _restore(folder)
    taken = _is_taken(folder)
    if taken and not overwrite and not (resumes and store.exists(RECORD) and _is_run(store)):
        _refuse_taken(folder, str(out))
    if taken and overwrite:
        _check_own(folder, str(out))
    if resumes and not (taken and overwrite):
        with _in_place(store):
            yield store
    else:
        with _beside(folder, replaces=taken, keeps_record=resumes) as beside:
            yield beside


def written_again(store: Store) -> AbstractContextManager[None]:
    """Holds the lock of a run whose derived files are made again; URLs have none."""
    return locked(store.path) if isinstance(store, LocalStore) else nullcontext()


def check_new_file(out: str | Path) -> Path:
    """The path of a file that is to be written.

    Raises:
        InputError: if something is there, or there is no folder for it.
    """
    store = opened(out)
    if not isinstance(store, LocalStore):
        raise InputError(f"expected a file to write, got the URL {store}")
    if store.path.exists():
        raise InputError(f"{str(out)!r} is there already; choose another name")
    if not store.path.parent.is_dir():
        raise InputError(f"there is no folder {str(Path(str(store)).parent)!r} to write into")
    return store.path


def write_file(out: str | Path, data: bytes) -> None:
    """Writes a file that must not be there yet; it appears complete or not at all.

    Raises:
        InputError: as :func:`check_new_file`.
    """
    path = check_new_file(out)
    temporary = path.with_name(f".{secrets.token_hex(16)}.partial")
    with told("written", path):
        try:
            put_whole(temporary, data)
            os.link(temporary, path)  # a rename would replace what came there meanwhile
        except FileExistsError:
            raise InputError(f"{str(out)!r} is there already; choose another name") from None
        finally:
            temporary.unlink(missing_ok=True)


def opened(out: str | Path) -> Store:
    """The folder or URL that a user named; ``~`` is expanded.

    Raises:
        InputError: for an empty place, an unknown user, or a link that leads nowhere.
    """
    text = str(out)
    if not text.strip() or "\0" in text:
        raise InputError(f"expected a place to write to (--out), got {text!r}")
    store = open_store(out)
    if not isinstance(store, LocalStore):
        return store
    expanded = os.path.expanduser(text)  # noqa: PTH111 - never raises
    if expanded.startswith("~"):
        raise InputError(f"there is no user {expanded.split('/')[0]!r}; a folder of that name is given as ./{expanded}")
    place = LocalStore(Path(expanded)) if expanded != text else store
    if place.path.is_symlink() and not place.path.exists():
        raise InputError(f"{text!r} is a link that leads nowhere; take it away, or choose another --out")
    return place


def _at_url(store: Store, *, overwrite: bool, resumes: bool) -> Store:
    if store.exists(RECORD):
        if overwrite:
            raise InputError(f"{store} holds a run, and nothing under a URL is overwritten; choose another --out")
        if not resumes:
            raise InputError(f"{store} holds a run; choose another --out")
    elif store.names():
        raise InputError(f"{store} is not empty, and no run; choose another --out")
    return store


def _check_apart(folder: Path, out: str, inputs: Sequence[Path]) -> None:
    """Refuses a folder that contains the current one or an input, or lies in an input."""
    if Path.cwd().is_relative_to(folder):
        raise InputError(f"{out!r} is the current folder or contains it; choose another --out")
    for given in inputs:
        path = Path(os.path.realpath(given))
        if path.is_relative_to(folder):
            raise InputError(f"{out!r} contains {str(given)!r}, which is read; choose another --out")
        if folder.is_relative_to(path):
            raise InputError(f"{out!r} lies in {str(given)!r}, which is read; choose an --out elsewhere")


def _is_taken(folder: Path) -> bool:
    """Whether something is there, other than what a run leaves that was killed before it began."""
    if not folder.is_dir():
        return os.path.lexists(folder)
    with told("read", folder):
        names = {path.name for path in folder.iterdir() if not LEFTOVER.fullmatch(path.name)}
        return not names <= {LOCK, LEDGER} or next(strangers(folder), None) is not None


def _is_ours(store: LocalStore) -> bool:
    """Whether a folder holds a run that has a ledger."""
    return store.exists(RECORD) and is_ledger(store.path / LEDGER)


def _is_run(store: LocalStore) -> bool:
    """Whether a folder holds a run; those of earlier versions have no ledger."""
    try:
        return _is_ours(store) or "heatproof" in json.loads(store.get(RECORD))["versions"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


def _refuse_taken(folder: Path, out: str) -> None:
    if not folder.is_dir():
        raise InputError(f"{out!r} is a file; expected a folder to write into: choose another --out")
    hint = ", or replace the result there with --overwrite" if is_ledger(folder / LEDGER) else ""
    raise InputError(f"{out!r} is there already and is not empty; choose another --out{hint}")


def _check_own(folder: Path, out: str) -> None:
    """Refuses to replace what heatproof did not write."""
    if not is_ledger(folder / LEDGER):
        raise InputError(
            f"{out!r} is no result that may be overwritten: it has no {LEDGER}, heatproof's list of what it wrote; "
            "choose another --out"
        )
    with told("read", folder):
        named = list(islice(strangers(folder), NAMED + 1))
    if named:
        more = " and more" if len(named) > NAMED else ""
        raise InputError(
            f"{out!r} holds what heatproof did not write, or not so: {', '.join(map(repr, named[:NAMED]))}{more}; "
            "move it away, or choose another --out"
        )


@contextmanager
def _in_place(store: LocalStore) -> Iterator[None]:
    """A run that stops is left to be resumed; one that never began leaves nothing."""
    before = {path.name for path in store.path.iterdir()} if store.path.is_dir() else None
    made = _first_missing(store.path)
    with locked(store.path):
        try:
            if not store.exists(RECORD):
                if _is_taken(store.path):  # somebody was faster
                    _refuse_taken(store.path, str(store))
                store.begin_ledger()
            yield
        finally:
            if not store.exists(RECORD):
                _take_away(store.path, made, spare=before)


@contextmanager
def _beside(folder: Path, *, replaces: bool, keeps_record: bool) -> Iterator[LocalStore]:
    """A hidden folder beside it, which takes its name in the end."""
    new = LocalStore(_hidden(folder, NEW))
    made, complete = _first_missing(new.path), False
    with ExitStack() as locks:
        if (folder / LOCK).exists():
            locks.enter_context(locked(folder))
        locks.enter_context(locked(new.path))
        try:
            if not (keeps_record and _is_ours(new)):
                begin_anew(new)
            yield new
            complete = True
            _swap(new.path, folder, replaces=replaces, keeps_lock=keeps_record)
        finally:
            if not complete and not (keeps_record and _is_ours(new)):
                _take_away(new.path, made or new.path)


def begin_anew(store: Store) -> None:
    """Deletes what heatproof wrote into a folder that it holds, and begins another ledger.

    Raises:
        InputError: if something else lies there.
    """
    assert isinstance(store, LocalStore), "nothing is overwritten under a URL"
    with told("deleted", store.path):
        named = next(strangers(store.path), None)
        if named:
            raise InputError(f"{str(store.path / named)!r} is in the way, and not heatproof's; move it away")
        delete_written(store.path, spare=[LOCK])
        store.begin_ledger()


def _first_missing(folder: Path) -> Path | None:
    """The topmost folder that must be made for it."""
    return next((path for path in reversed([folder, *folder.parents]) if not path.exists()), None)


def _take_away(folder: Path, made: Path | None, spare: Collection[str] | None = None) -> None:
    """Deletes what was written into a folder, and those folders that were made for it.

    Args:
        folder: where to write.
        made: the topmost folder that was made.
        spare: what had been in the folder, if it was there.
    """
    with suppress(OSError):
        delete_written(folder, spare or ())
        if spare is None:
            folder.rmdir()
        while made is not None and folder != made:
            folder = folder.parent
            folder.rmdir()


def _swap(new: Path, folder: Path, *, replaces: bool, keeps_lock: bool) -> None:
    """Gives the new folder the name of the old one, which is deleted then."""
    old = _hidden(folder, REPLACED)
    try:
        if replaces:
            _check_own(folder, str(folder))
        elif _is_taken(folder):
            raise InputError("something was put there meanwhile")
        if not keeps_lock:
            (new / LOCK).unlink()
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        sync_folder(folder.parent)
    except (InputError, OSError) as error:
        raise StoreError(
            f"{str(folder)!r} could not be written: {error}; the result is complete, and lies in {str(new)!r}"
        ) from error
    if old.exists():
        _delete(old)


def _restore(folder: Path) -> None:
    """Completes what a command that was killed between two renames left."""
    old = _hidden(folder, REPLACED)
    if is_ledger(old / LEDGER):
        if _is_taken(folder):
            _delete(old)
        else:
            old.rename(folder)


def _delete(folder: Path) -> None:
    """Deletes what heatproof wrote, and the folder if nothing else lies in it."""
    delete_written(folder)
    with suppress(OSError):
        folder.rmdir()


def _hidden(folder: Path, end: str) -> Path:
    return folder.with_name(f".{folder.name}.{end}")
