"""A user's own code, which builds networks; it is run because the user named it."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.network.inputs import as_preprocessing
from heatproof.network.network import Network
from heatproof.network.weights import load_weights, read_classes, read_weights
from heatproof.registry import unknown


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
    """Errors of a user's own code become one message that says where; a process that it would end goes on."""
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
            where = "" if last.filename == __file__ else f" in {last.filename!r}, line {last.lineno}"
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{name!r} fails{where}: {' '.join(reason.split()):.300}") from error


def from_factory(
    module_name: str,
    factory: str,
    weights: str | Path | None,
    preprocessing: Preprocessing | str | None,
    classes: Sequence[str] | None,
    device: str | torch.device | None,
    known: Sequence[str],
) -> Network:
    """What a user's own callable makes: an ``nn.Module``, or a whole ``Network``."""
    found = getattr(_own_module(module_name, known), factory, None)
    if not callable(found):
        raise InputError(f"{module_name}:{factory} must be a callable that returns a network, got {found!r}")
    with own_code(f"{module_name}:{factory}"):
        made = found()
    if isinstance(made, Network):
        if any(option is not None for option in (weights, preprocessing, classes, device)):
            raise InputError(
                f"{module_name}:{factory} returns a whole Network, so weights, preprocessing, classes and device are "
                "its own; set them there, or return the nn.Module"
            )
        return made
    if not isinstance(made, nn.Module):
        raise InputError(f"{module_name}:{factory} must return a torch.nn.Module, got {type(made).__name__}")
    if weights is not None:
        load_weights(made, read_weights(Path(weights)), str(weights))
        classes = classes or read_classes(Path(weights))
    return Network(made, preprocessing=as_preprocessing(preprocessing), name=factory, classes=classes, device=device)


def _own_module(name: str, known: Sequence[str]) -> ModuleType:
    """A file that ends in .py, or a module that can be imported."""
    if name.endswith(".py"):
        return run_file(Path(name))
    try:
        with own_code(name):
            return importlib.import_module(name)
    except InputError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        raise InputError(f"{unknown('source of networks', name, known)} ({error.__cause__})") from error
