"""The image itself, out of focus."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.perturbation.replacements.replacements import register


@register("blur")
def blur(
    images: Tensor, *, generators: Sequence[np.random.Generator], sigma: Annotated[float, Bounds(0.01, 1000.0)] = 3.0
) -> Tensor:
    """The image blurred by a Gaussian of ``sigma`` pixels, mirrored at the border [Samek2017]."""
    blurred = scipy.ndimage.gaussian_filter(images.double().cpu().numpy(), sigma=(0, 0, sigma, sigma), mode="reflect")
    return torch.from_numpy(blurred).to(images).clamp(0, 1)
