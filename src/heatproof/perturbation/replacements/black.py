"""Black everywhere."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register


@register("black")
def black(images: Tensor, *, generators: Sequence[np.random.Generator]) -> Tensor:
    """Black: 0 in every channel."""
    return torch.zeros_like(images)
