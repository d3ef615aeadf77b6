"""Names and packages that are imported when they are first used [PEP 562]."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from heatproof.errors import InputError


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a package whose names come from other modules.

    Args:
        package: its full name.
        homes: the module of each name; a module that is its own name's home is itself what is meant.

    >>> find = lazily("shapes", {"sqrt": "math", "json": "json"})
    >>> import types
    >>> sys.modules["shapes"] = types.ModuleType("shapes")
    >>> find("sqrt")(9.0), find("json").__name__
    (3.0, 'json')
    >>> find("square")
    Traceback (most recent call last):
    AttributeError: module 'shapes' has no attribute 'square'
    >>> del sys.modules["shapes"]
    """

    def find(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(home)
        found = module if home.rpartition(".")[2] == name else getattr(module, name)
        setattr(sys.modules[package], name, found)  # the next time it is simply there
        return found

    return find


def optional(package: str, *, extra: str, what: str) -> Any:  # noqa: ANN401 - a module
    """A package that only one part of heatproof needs.

    >>> optional("json", extra="demo", what="demonstrations").__name__
    'json'
    >>> optional("jsonn", extra="demo", what="demonstrations")
    Traceback (most recent call last):
    heatproof.errors.InputError: demonstrations: the package jsonn is not installed; pip install "heatproof[demo]"

    Args:
        package: its name.
        extra: of heatproof, which brings it.
        what: needs it.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(f'{what}: the package {package} is not installed; pip install "heatproof[{extra}]"') from error
