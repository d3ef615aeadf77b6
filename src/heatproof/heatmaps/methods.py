"""The registry of heatmap methods: a method is a function of a recorded forward pass.

It returns signed maps (N, H, W), or the relevance of every channel of every pixel, whose sum over channels is the map.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.network.forward import ForwardPass, Relevance
from heatproof.registry import Registry

Method = Callable[..., Tensor | Relevance]  # (ForwardPass, *, options…)

METHODS: Registry[Method] = Registry("method")
register = METHODS.register

__all__ = ["METHODS", "ForwardPass", "Method", "Relevance", "register"]
