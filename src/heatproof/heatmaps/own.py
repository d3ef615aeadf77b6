"""A method of the user's own, as ``FILE.py:function`` or ``package.module:function``; its code is run."""

import hashlib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.methods import ForwardPass, Method
from heatproof.network import Network
from heatproof.network.own import own_code, run_file
from heatproof.registry import Option, parse_spec, unknown

OWN_FILE = re.compile(r"([^:\[\],]+\.py):")
NAMED = ("network", "images", "targets")


def is_own(spec: str) -> bool:
    """Whether a method's name means a callable of the user's.

    >>> is_own("mine.py:explain[alpha=2]"), is_own("package.module:explain"), is_own("lrp-epsilon")
    (True, True, False)
    """
    source, colon, _ = parse_spec(spec)[0].rpartition(":")
    return bool(colon) and (source.endswith(".py") or "." in source or _is_module(source))


def own_method(spec: str, network: Network) -> Method:
    """A user's callable ``(network, images, targets, **options) -> (N, H, W)`` as a method of ``network``."""
    name, options = parse_spec(spec)
    function = _with_options(load_callable(name), name, options)

    def method(forward: ForwardPass) -> Tensor:
        with own_code(name):
            found: Tensor = function(network, forward.images, forward.targets)
        return found

    return method


def code_of(methods: Sequence[str]) -> dict[str, str]:
    """A hash of each ``.py`` file that these methods are in, so that other code is another method."""
    found = {}
    for method in methods:
        for path in map(Path, OWN_FILE.findall(method)):
            if path.is_file():
                found[method] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    return found


def load_callable(spec: str) -> Callable[..., Any]:
    """The callable that ``package.module:function`` or ``FILE.py:function`` names; runs its code.

    Raises:
        InputError: if there is none.
    """
    source, _, name = spec.rpartition(":")
    if not source or not name:
        raise InputError(f"expected package.module:function or FILE.py:function, got {spec!r}")
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise InputError(f"there is no file {source!r}")
        module = _module_in(Path(source).resolve(), Path(source).stat().st_mtime_ns)
    else:
        try:
            with own_code(source):
                module = importlib.import_module(source)
        except InputError as error:
            raise InputError(f"cannot import {source!r} ({error}); a file's name ends in .py") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(f"{spec} must be a callable, got {found!r}")
    return found  # type: ignore[no-any-return]


@lru_cache(maxsize=32)
def _module_in(path: Path, changed: int) -> Any:  # noqa: ANN401 - a module
    """The module that a file is, run once for each of its versions."""
    return run_file(path)


def _with_options(function: Callable[..., Any], name: str, options: dict[str, Option]) -> Callable[..., Any]:
    if not options:
        return function
    parameters = inspect.signature(function).parameters.values()
    known = sorted(p.name for p in parameters if p.default is not p.empty and p.name not in NAMED)
    for option in options:
        if option not in known:
            raise InputError(unknown(f"option of method {name!r}:", option, known))
    return partial(function, **options)


def _is_module(name: str) -> bool:
    try:
        return name.isidentifier() and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
