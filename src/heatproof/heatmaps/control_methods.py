"""Controls: maps that never saw the network, which a method must beat, and prefixes that make a control of a method."""

from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import SEED, Bounds
from heatproof.heatmaps.methods import WRAPPERS, Make, Method, register
from heatproof.network import Network
from heatproof.network.backward import Relevance
from heatproof.network.forward import ForwardPass
from heatproof.randomness import addressed, identify

INPUT_ONLY = ("random", "constant", "centre-gaussian", "sobel")  # controls that never saw the network


@register("random")
def random(forward: ForwardPass, *, seed: Annotated[int, SEED] = 0) -> Tensor:
    """Independent standard normal values per pixel, the same for the same image and seed."""
    height, width = forward.images.shape[2:]
    maps = [
        addressed(seed=seed, image=image, purpose="random heatmap").standard_normal((height, width), dtype=np.float32)
        for image in identify(forward.images)
    ]
    return torch.from_numpy(np.stack(maps)).to(forward.inputs)


@register("constant")
def constant(forward: ForwardPass) -> Tensor:
    """Zero everywhere: all regions are tied, so that it must come out like the random order."""
    return torch.zeros_like(forward.images[:, 0])


@register("centre-gaussian")
def centre_gaussian(forward: ForwardPass, *, sigma: Annotated[float, Bounds(0.001, 1000.0)] = 0.25) -> Tensor:
    """A Gaussian in the middle; sigma is a share of the image's height and width. Photographers centre things."""
    height, width = forward.images.shape[2:]
    rows, columns = (
        (((torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5) / sigma) ** 2 / 2 for size in (height, width)
    )  # (size,) half the squared distance from the middle, in sigmas
    one = torch.exp(-(rows[:, None] + columns[None, :]))
    return one.to(forward.images).expand(len(forward.images), height, width)


@register("sobel")
def sobel(forward: ForwardPass) -> Tensor:
    """Strength of the edges of the image: the Sobel gradient of the mean over channels; borders are mirrored."""
    grey = forward.images.detach().double().mean(dim=1).cpu().numpy()
    maps = [np.hypot(scipy.ndimage.sobel(one, axis=0), scipy.ndimage.sobel(one, axis=1)) for one in grey]
    return torch.from_numpy(np.stack(maps)).to(forward.images)


@WRAPPERS.register("negated")
def negated(make: Make, network: Network) -> Method:
    """The method's map with its sign flipped: it removes first what the method keeps longest."""
    method = make(network)
    return lambda forward: -_maps(method(forward))


@WRAPPERS.register("randomised")
def randomised(make: Make, network: Network, *, seed: Annotated[int, SEED] = 0) -> Method:
    """The method's map of a copy of the network with shuffled weights, for the same classes [Adebayo2018]."""
    make(network)  # refuses an unknown name before the copy is made

    def of_the_copy(forward: ForwardPass) -> Tensor:
        other = network.randomised(seed)
        return _maps(make(other)(other.forward_pass(forward.images, forward.targets, against=forward.against)))

    return of_the_copy


def controls(method: str) -> tuple[str, ...]:
    """Names of the controls for ``method``: four maps that never saw the network, and two made of the method.

    >>> controls("lrp-epsilon")[2:]
    ('centre-gaussian', 'sobel', 'negated:lrp-epsilon', 'randomised:lrp-epsilon')
    """
    return (*INPUT_ONLY, *(f"{prefix}:{method}" for prefix in WRAPPERS))


def _maps(found: Tensor | Relevance) -> Tensor:
    return found.heatmaps if isinstance(found, Relevance) else found
