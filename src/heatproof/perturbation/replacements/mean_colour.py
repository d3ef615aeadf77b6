"""The image's own mean colour."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register


@register("mean-colour")
def mean_colour(images: Tensor, *, generators: Sequence[np.random.Generator]) -> Tensor:
    """The image's own mean colour."""
    return torch.stack([colour_of(image) for image in images]).expand_as(images)


def colour_of(image: Tensor) -> Tensor:
    """(C, 1, 1) mean colour of one image (C, H, W); one by one, so that no batch changes the rounding."""
    return image.double().mean(dim=(1, 2), keepdim=True).to(image)
