"""The registry of replacements: what a removed region becomes.

A replacement makes, from images (N, C, H, W) and one generator per image, one replacement image each. Removing a
region copies its pixels from there; regions never overlap, so the draws of different regions are independent.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.registry import Registry

Replacement = Callable[..., Tensor]  # (images, *, generators, options…) -> (N, C, H, W)

REPLACEMENTS: Registry[Replacement] = Registry("replacement")
register = REPLACEMENTS.register
