"""A user's own code, which builds networks; it is run because the user named it."""

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from heatproof.errors import InputError

_PACKAGE = Path(__file__).parent.parent


def run_file(path: Path) -> ModuleType:
    """The module that a Python file is; while it runs it finds its neighbours, as a script does.

    Raises:
        InputError: if there is no such file, or its code fails.
    """
    if not path.is_file():
        raise InputError(f"network: there is no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(f"heatproof_own.{path.stem}", path)
    assert spec is not None, "a file that ends in .py always has a loader"
    assert spec.loader is not None, "a file that ends in .py always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and torch look their module up there
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        with own_code(str(path)):
            spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@contextmanager
def own_code(name: str) -> Iterator[None]:
    """Errors of a user's own code become one message that says where; it cannot end the process."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, RuntimeError) and "memory" in str(error).lower():
            raise
        if isinstance(error, SyntaxError):
            where = f" in {error.filename!r}, line {error.lineno}"
        else:
            *_, last = traceback.extract_tb(error.__traceback__)
            ours = Path(last.filename).is_relative_to(_PACKAGE)
            where = "" if ours else f" in {last.filename!r}, line {last.lineno}"
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{name!r} fails{where}: {' '.join(reason.split()):.300}") from error
