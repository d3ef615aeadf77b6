"""Uniform noise: the protocol of the paper."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register


@register("uniform")
def uniform(images: Tensor, *, generators: Sequence[np.random.Generator]) -> Tensor:
    """Independent draws from U[0, 1] for every pixel and channel [Samek2017]."""
    draws = [
        generator.random(image.shape, dtype=np.float32) for image, generator in zip(images, generators, strict=True)
    ]
    return torch.from_numpy(np.stack(draws)).to(images)  # (N, C, H, W)
