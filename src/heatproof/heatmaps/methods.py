"""The registry of heatmap methods: a method is a function of a recorded forward pass.

It returns signed maps (N, H, W), or the relevance of every channel of every pixel, whose sum over channels is the map.
A wrapper makes another method of a method, and is written as a prefix: ``negated:lrp-epsilon[epsilon=1]``.
"""

from collections.abc import Callable
from typing import cast

from torch import Tensor

from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.forward import ForwardPass, Relevance
from heatproof.network.operations import Way
from heatproof.registry import Registry, parse_spec

Method = Callable[..., Tensor | Relevance]  # (ForwardPass, *, options…)

METHODS: Registry[Method] = Registry("method")
WRAPPERS: Registry[Callable[..., Method]] = Registry("prefix")  # (Method, Network, *, options…) -> Method
_WAYS: dict[str, Way] = {}
MOST_PREFIXES = 10


def register(name: str, *, way: Way | None = None) -> Callable[[Method], Method]:
    """Decorator that makes a method known; ``way`` is the way back through the network that it takes, if any."""
    if way is not None:
        _WAYS[name] = way
    return METHODS.register(name)


def method_of(spec: str, network: Network) -> Method:
    """The method that a spec names, with its options, for ``network``.

    Raises:
        InputError: for an unknown name, prefix or option.
    """
    prefix, rest = split_prefix(spec)
    if spec.count(":") > MOST_PREFIXES:
        raise InputError(f"expected at most {MOST_PREFIXES} prefixes before a method, got {spec!r:.80}")
    if prefix:
        return cast(Method, WRAPPERS.resolve(prefix)(method_of(rest, network), network))
    name = parse_spec(rest)[0]
    if name in WRAPPERS:
        raise InputError(f"{name!r} stands before a method: {name}:lrp-epsilon")
    return METHODS.resolve(rest)


def split_prefix(spec: str) -> tuple[str, str]:
    """The first prefix, or nothing, and what it stands before.

    >>> split_prefix("negated:lrp-epsilon[epsilon=1]"), split_prefix("random")
    (('negated', 'lrp-epsilon[epsilon=1]'), ('', 'random'))
    """
    prefix, colon, rest = spec.partition(":")
    return (prefix.strip(), rest.strip()) if colon else ("", spec.strip())


def require(network: Network, method: str, shape: tuple[int, ...]) -> None:
    """Refuses a method whose way back the network has no rules for, for images of ``shape`` (C, H, W)."""
    _, _, inner = method.rpartition(":")
    way = _WAYS.get(parse_spec(inner)[0])
    if way is not None:
        network.require(way, method, shape)


__all__ = [
    "METHODS",
    "WRAPPERS",
    "ForwardPass",
    "Method",
    "Relevance",
    "method_of",
    "register",
    "require",
    "split_prefix",
]
