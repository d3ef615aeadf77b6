"""A user's own Python file, which may build networks; it is run because the user named it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from heatproof.errors import InputError


def run_file(path: Path) -> ModuleType:
    """The module that a Python file is; while it runs it finds its neighbours, as a script does.

    Raises:
        InputError: if there is no such file. Errors of its own code are left as they are.
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
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module
