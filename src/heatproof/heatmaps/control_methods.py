"""Controls: maps that never saw the network, which a method must beat, and prefixes that make a control of a method."""

from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import SEED, Bounds
from heatproof.heatmaps.methods import WRAPPERS, Make, Method, register, split_prefix
from heatproof.network import Network
from heatproof.network.backward import Relevance
from heatproof.network.forward import ForwardPass
from heatproof.randomness import addressed, identify

INPUT_ONLY = ("random", "constant", "centre-gaussian", "sobel", "centred-sobel")  # controls that never saw the network
MUST_BEAT = ("centre-gaussian", "sobel", "centred-sobel")  # a random and a constant map are the random order
UPPER_MARK = "occlusion"  # asks the network about every window: a map that a protocol must call good
ANOTHER = "another-image"  # prefix of the map that the method made of another image


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


@register("centred-sobel")
def centred_sobel(forward: ForwardPass) -> Tensor:
    """Edges in the middle: ``sobel``, smoothed over a sixteenth of the sides, times ``centre-gaussian``."""
    height, width = forward.images.shape[2:]
    edges = _maps(sobel(forward)).double().cpu().numpy()
    smooth = scipy.ndimage.gaussian_filter(edges, (0, height / 16, width / 16))
    return torch.from_numpy(smooth).to(forward.images) * _maps(centre_gaussian(forward))


@register("occlusion")
def occlusion(forward: ForwardPass, *, across: Annotated[int, Bounds(1, 32)] = 7) -> Tensor:
    """The score that each of ``across`` × ``across`` windows takes along when it alone is blurred [Zeiler2014]."""
    inputs, (height, width) = forward.inputs, forward.images.shape[2:]
    blurred = scipy.ndimage.gaussian_filter(
        inputs.double().cpu().numpy(), (0, 0, height / (4 * across), width / (4 * across)), mode="reflect"
    )
    without = torch.from_numpy(blurred).to(inputs)
    rows, columns = (torch.arange(size) * across // size for size in (height, width))
    windows = rows[:, None] * across + columns[None, :]  # (H, W)
    drops = forward.scores[:, None] - forward.evaluated_changes(without, windows)
    return drops[:, windows]  # (N, R) -> (N, H, W)


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


def controls(method: str | None, *, symmetric: bool = False) -> tuple[str, ...]:
    """Names of the controls that are computed, of which some are made of ``method``.

    In a symmetric comparison a map's reverse needs none, and a random or constant map is the random order.

    >>> controls("lrp-epsilon", symmetric=True)
    ('centre-gaussian', 'sobel', 'centred-sobel', 'occlusion', 'randomised:lrp-epsilon')
    >>> controls("lrp-epsilon", symmetric=False)[2:]
    ('centre-gaussian', 'sobel', 'negated:lrp-epsilon', 'randomised:lrp-epsilon')
    """
    if symmetric:
        return (*MUST_BEAT, UPPER_MARK, *([f"randomised:{method}"] if method else []))
    return ("random", "constant", "centre-gaussian", "sobel", *(f"{prefix}:{method}" for prefix in WRAPPERS if method))


def kind_of_control(name: str) -> str:
    """The control that a name means, without options and what it is made of; empty for a method.

    >>> kind_of_control("randomised[seed=1]:lrp-epsilon"), kind_of_control("sobel"), kind_of_control("lrp-epsilon")
    ('randomised', 'sobel', '')
    """
    prefix, rest = split_prefix(name)
    kind = (prefix or rest).partition("[")[0]
    return kind if kind in (*INPUT_ONLY, *WRAPPERS, UPPER_MARK, ANOTHER) else ""


def _maps(found: Tensor | Relevance) -> Tensor:
    return found.heatmaps if isinstance(found, Relevance) else found
