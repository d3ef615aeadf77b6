"""Grey everywhere."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register


@register("grey")
def grey(images: Tensor, *, generators: Sequence[np.random.Generator]) -> Tensor:
    """Medium grey: 0.5 in every channel."""
    return torch.full_like(images, 0.5)
