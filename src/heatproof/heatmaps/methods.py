"""The registry of heatmap methods: a method is a function of a recorded forward pass.

It returns signed maps (N, H, W), or the relevance of every channel of every pixel, whose sum over channels is the map.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.network import Network
from heatproof.network.forward import ForwardPass, Relevance
from heatproof.network.operations import Way
from heatproof.registry import Registry, parse_spec

Method = Callable[..., Tensor | Relevance]  # (ForwardPass, *, options…)

METHODS: Registry[Method] = Registry("method")
_WAYS: dict[str, Way] = {}


def register(name: str, *, way: Way | None = None) -> Callable[[Method], Method]:
    """Decorator that makes a method known; ``way`` is the way back through the network that it takes, if any."""
    if way is not None:
        _WAYS[name] = way
    return METHODS.register(name)


def require(network: Network, method: str, shape: tuple[int, ...]) -> None:
    """Refuses a method whose way back the network has no rules for, for images of ``shape`` (C, H, W)."""
    way = _WAYS.get(parse_spec(method)[0])
    if way is not None:
        network.require(way, method, shape)


__all__ = ["METHODS", "ForwardPass", "Method", "Relevance", "register", "require"]
