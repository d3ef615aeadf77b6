"""The registry of replacements: what a removed region becomes.

There are two kinds; which one a function is, its arguments say.

A *replacement image* is made once, from images (N, C, H, W) and one generator per image. Removing a region copies its
pixels from there; regions never overlap, so the draws of different regions are independent. One that asks for
``statistics`` gets those of a whole data set, so that it does not depend on which images come together in a batch.

An *imputation* asks for ``removed`` (N, H, W), True where a pixel is gone, and fills these pixels from what is left; it
is made anew at every step.
"""

import inspect
from collections.abc import Callable

from torch import Tensor

from heatproof.registry import Registry

Replacement = Callable[..., Tensor]  # (images, *, generators, options…) -> (N, C, H, W)

REPLACEMENTS: Registry[Replacement] = Registry("replacement")
register = REPLACEMENTS.register


def asks_for(spec: str, argument: str) -> bool:
    """Whether the replacement takes ``argument``: "statistics" or "removed"."""
    return argument in inspect.signature(REPLACEMENTS.resolve(spec)).parameters
