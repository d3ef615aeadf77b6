"""Colours drawn from the image's own histogram."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register


@register("histogram")
def histogram(images: Tensor, *, generators: Sequence[np.random.Generator]) -> Tensor:
    """Pixels drawn from the image's own pixels, each independently, with all their channels."""
    pixels = images.flatten(start_dim=2)  # (N, C, H·W)
    drawn = [
        colours[:, torch.from_numpy(generator.integers(colours.shape[1], size=colours.shape[1])).to(colours.device)]
        for colours, generator in zip(pixels, generators, strict=True)
    ]
    return torch.stack(drawn).reshape(images.shape)
