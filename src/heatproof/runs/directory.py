"""A run's directory: it appears whole, or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heatproof.errors import InputError


def check_free(path: Path, *, overwrite: bool = False) -> None:
    """Refuses a place where a run would overwrite something, before anything is computed.

    Raises:
        InputError: if something is there (with ``overwrite`` only an earlier run may be), or the place is not writable.
    """
    taken = path.is_file() or (path.is_dir() and any(path.iterdir()))
    if taken and not (overwrite and (path / "run.json").is_file()):
        hint = "choose another --out" + (", or replace it with --overwrite" if (path / "run.json").is_file() else "")
        raise InputError(f"{str(path)!r} is there already and is not empty; {hint}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(f"nothing can be written to {str(path.parent)!r}: {error.strerror}") from error


@contextmanager
def whole_directory(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its name when all went well, and vanishes otherwise."""
    check_free(path, overwrite=overwrite)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
