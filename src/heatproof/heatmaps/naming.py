"""What a method's name means: one of ours, one of another package, the user's own, and prefixes before any of them."""

from collections.abc import Iterable
from functools import partial
from typing import cast

from heatproof.errors import InputError
from heatproof.heatmaps.methods import METHODS, WRAPPERS, Method, split_prefix
from heatproof.heatmaps.own import is_own, own_method
from heatproof.heatmaps.third_party import PACKAGES
from heatproof.network import Network
from heatproof.registry import parse_spec, unknown

MOST_PREFIXES = 10


def method_of(spec: str, network: Network) -> Method:
    """The method that a name means, with its options, for ``network``.

    Raises:
        InputError: for an unknown name, prefix or option, or where the package is not installed.
    """
    prefix, rest = _split(spec)
    if prefix in PACKAGES:
        return PACKAGES[prefix].make(rest, network)
    if prefix and parse_spec(prefix)[0] in WRAPPERS:
        return cast(Method, WRAPPERS.resolve(prefix)(partial(method_of, rest), network))
    if prefix and is_own(spec):
        return own_method(spec, network)
    if prefix:
        raise InputError(unknown("prefix", prefix, sorted([*WRAPPERS, *PACKAGES])))
    return _ours(rest)


def check_methods(specs: Iterable[str]) -> None:
    """Refuses two names of the same method, and what is wrong with those of ours; no network is needed.

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


def _meaning(spec: str) -> tuple[object, ...]:
    """Equal for two spellings of the same method, as far as it is ours."""
    prefix, rest = _split(spec)
    if not prefix:
        _ours(rest)
        return METHODS.meaning(rest)
    if parse_spec(prefix)[0] in WRAPPERS:
        WRAPPERS.resolve(prefix)
        return *WRAPPERS.meaning(prefix), *_meaning(rest)
    name, options = parse_spec(spec)
    return name, *sorted(options.items())


def _split(spec: str) -> tuple[str, str]:
    if spec.count(":") > MOST_PREFIXES:
        raise InputError(f"expected at most {MOST_PREFIXES} prefixes before a method, got {spec!r:.80}")
    return split_prefix(spec)


def _ours(rest: str) -> Method:
    name = parse_spec(rest)[0]
    if name in WRAPPERS or name in PACKAGES:
        example = f"{name}:lrp-epsilon" if name in WRAPPERS else f"{name}:{PACKAGES[name].example}"
        raise InputError(f"{name!r} stands before a method: {example}")
    return METHODS.resolve(rest)
