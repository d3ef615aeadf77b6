"""Maps that never saw the network: what a method must beat before its maps can be said to explain it."""

from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.heatmaps.methods import ForwardPass, register


@register("constant")
def constant(forward: ForwardPass) -> Tensor:
    """Zero everywhere: all regions are tied, so that it must come out like the random order."""
    return torch.zeros_like(forward.images[:, 0])


@register("centre-gaussian")
def centre_gaussian(forward: ForwardPass, *, sigma: Annotated[float, Bounds(0.001, 1000.0)] = 0.25) -> Tensor:
    """A Gaussian in the middle; sigma is a share of the image's height and width. Photographers centre things."""
    height, width = forward.images.shape[2:]
    rows, columns = (_exponent(size, sigma) for size in (height, width))
    one = torch.exp(-(rows[:, None] + columns[None, :]))
    return one.to(forward.images).expand(len(forward.images), height, width)


@register("sobel")
def sobel(forward: ForwardPass) -> Tensor:
    """Strength of the edges of the image: the Sobel gradient of the mean over channels; borders are mirrored."""
    grey = forward.images.detach().double().mean(dim=1).cpu().numpy()
    maps = [np.hypot(scipy.ndimage.sobel(one, axis=0), scipy.ndimage.sobel(one, axis=1)) for one in grey]
    return torch.from_numpy(np.stack(maps)).to(forward.images)


def _exponent(size: int, sigma: float) -> Tensor:
    """(size,) half the squared distance from the middle, in sigmas."""
    places = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    return (places / sigma) ** 2 / 2
