"""Names of a package that are imported when they are first used [PEP 562]."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


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
