"""What a method's name means: a built-in method, one of another package, a custom callable, and prefixes before any.

A custom callable is written ``FILE.py:function`` or ``package.module:function``; its code is run.
"""

import hashlib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.methods import METHODS, WRAPPERS, Method, check_one_logit, split_prefix
from heatproof.heatmaps.third_party import PACKAGES
from heatproof.network import Network
from heatproof.network.forward import ForwardPass
from heatproof.network.own import own_code, run_file
from heatproof.registry import parse_spec, unknown

CUSTOM_FILE = re.compile(r"([^:\[\],]+\.py):")
NAMED = ("network", "images", "targets")


def method_of(spec: str, network: Network) -> Method:
    """The method that a name means, with its options, for ``network``.

    Raises:
        InputError: for an unknown name, prefix or option, or where the package is not installed.
    """
    prefix, rest = split_prefix(spec)
    if not prefix:
        return _built_in(rest)
    if prefix in PACKAGES:
        return PACKAGES[prefix].make(rest, network)
    if parse_spec(prefix)[0] in WRAPPERS:
        return cast(Method, WRAPPERS.resolve(prefix)(partial(method_of, rest), network))
    if _is_custom(spec):
        return _custom_method(spec, network)
    raise InputError(unknown("prefix", prefix, sorted([*WRAPPERS, *PACKAGES])))


def check_methods(specs: Iterable[str]) -> None:
    """Refuses two names of the same method, and what is wrong with built-in ones; no network is needed.

    Raises:
        InputError: with the method, and what is wrong with it.
    """
    seen: dict[tuple[object, ...], str] = {}
    for spec in specs:
        meaning = _meaning(spec)
        if meaning in seen:
            first = "" if seen[meaning] == spec else f", first as {seen[meaning]!r}"
            raise InputError(f"method {spec!r} is given twice{first}")
        seen[meaning] = spec


def code_of(methods: Sequence[str]) -> dict[str, str]:
    """A hash of each ``.py`` file that these methods are in, so that other code is another method."""
    found = {}
    for method in methods:
        for path in map(Path, CUSTOM_FILE.findall(method)):
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


def _meaning(spec: str) -> tuple[object, ...]:
    """Equal for two spellings of the same method, as far as it is built in."""
    prefix, rest = split_prefix(spec)
    if not prefix:
        _built_in(rest)
        return METHODS.meaning(rest)
    if parse_spec(prefix)[0] in WRAPPERS:
        WRAPPERS.resolve(prefix)
        return *WRAPPERS.meaning(prefix), *_meaning(rest)
    name, options = parse_spec(spec)
    return name, *sorted(options.items())


def _built_in(rest: str) -> Method:
    name = parse_spec(rest)[0]
    if name in WRAPPERS or name in PACKAGES:
        example = f"{name}:lrp-epsilon" if name in WRAPPERS else f"{name}:{PACKAGES[name].example}"
        raise InputError(f"{name!r} is a prefix and needs a method after it, such as {example}")
    return METHODS.resolve(rest)


def _custom_method(spec: str, network: Network) -> Method:
    """A custom callable ``(network, images, targets, **options) -> (N, H, W)`` as a method of ``network``."""
    name, options = parse_spec(spec)
    function = load_callable(name)
    if options:
        parameters = inspect.signature(function).parameters.values()
        known = sorted(p.name for p in parameters if p.default is not p.empty and p.name not in NAMED)
        for option in options:
            if option not in known:
                raise InputError(unknown(f"option of method {name!r}:", option, known))

    def method(forward: ForwardPass) -> Tensor:
        check_one_logit(forward, spec)
        with own_code(name):
            found: Tensor = function(network, forward.images, forward.targets, **options)
        return found

    return method


def _is_custom(spec: str) -> bool:
    """Whether a method's name means a custom callable.

    >>> _is_custom("mine.py:explain[alpha=2]"), _is_custom("package.module:explain"), _is_custom("lrp-epsilon")
    (True, True, False)
    """
    source, colon, _ = parse_spec(spec)[0].rpartition(":")
    return bool(colon) and (source.endswith(".py") or "." in source or _is_module(source))


@lru_cache(maxsize=32)
def _module_in(path: Path, changed: int) -> ModuleType:
    """The module that a file is, run once for each of its versions."""
    return run_file(path)


def _is_module(name: str) -> bool:
    try:
        return name.isidentifier() and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
