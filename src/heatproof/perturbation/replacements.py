"""What a removed region becomes: the registry of replacements, and the replacement images that need no fitting.

There are two kinds, and nothing at all (``drop``); which one a function is, its arguments say.

A *replacement image* is made once, from images (N, C, H, W) and one generator per image. Removing a region copies its
pixels from there; regions never overlap, so the draws of different regions are independent. One that asks for
``statistics`` gets those of a whole data set, so that it does not depend on which images come together in a batch.

An *imputation* (``imputations.py``) asks for ``removed`` (N, H, W), True where a pixel is gone, and fills these pixels
from what is left; it is made anew at every step.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.perturbation.statistics import Statistics
from heatproof.registry import Registry

Generators = Sequence[np.random.Generator]  # one for each image
Replacement = Callable[..., Tensor]  # (images, *, generators, options…) -> (N, C, H, W)

DROP = "drop"  # tokens of removed patches are left out: see ``dropping.py``
REPLACEMENTS: Registry[Replacement] = Registry("replacement")


def asks_for(spec: str, argument: str) -> bool:
    """Whether the replacement takes ``argument``: "statistics" or "removed"."""
    return argument in inspect.signature(REPLACEMENTS.resolve(spec)).parameters


@REPLACEMENTS.register("black")
def black(images: Tensor, *, generators: Generators) -> Tensor:
    """Black: 0 in every channel."""
    return torch.zeros_like(images)


@REPLACEMENTS.register("blur")
def blur(images: Tensor, *, generators: Generators, sigma: Annotated[float, Bounds(0.01, 1000.0)] = 3.0) -> Tensor:
    """The image blurred by a Gaussian of ``sigma`` pixels, mirrored at the border [Samek2017]."""
    if images.device.type != "cpu":
        rows, columns = (_blurring(size, sigma).to(images.device) for size in images.shape[2:])
        return (rows @ images.double() @ columns.T).to(images).clamp(0, 1)
    blurred = scipy.ndimage.gaussian_filter(images.double().cpu().numpy(), sigma=(0, 0, sigma, sigma), mode="reflect")
    return torch.from_numpy(blurred).to(images).clamp(0, 1)


def _blurring(size: int, sigma: float) -> Tensor:
    """(size, size) the blur along one side as a matrix, in float64, by which a GPU blurs."""
    return torch.from_numpy(scipy.ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="reflect"))


@REPLACEMENTS.register("constant")
def constant(images: Tensor, *, generators: Generators, statistics: Statistics) -> Tensor:
    """The mean colour of a data set at each location: its mean image [Samek2017]."""
    return statistics.mean.to(images).expand_as(images)


@REPLACEMENTS.register("drop")
def drop(images: Tensor, *, generators: Generators) -> Tensor:
    """Nothing: a vision transformer does without the tokens of removed patches [Jain2022].

    Pictures show grey there, which no network gets to see.
    """
    return grey(images, generators=generators)


@REPLACEMENTS.register("grey")
def grey(images: Tensor, *, generators: Generators) -> Tensor:
    """Medium grey: 0.5 in every channel."""
    return torch.full_like(images, 0.5)


@REPLACEMENTS.register("histogram")
def histogram(images: Tensor, *, generators: Generators) -> Tensor:
    """Pixels drawn from the image's own pixels, each independently, with all their channels."""
    pixels = images.flatten(start_dim=2)  # (N, C, H·W)
    drawn = [
        colours[:, torch.from_numpy(generator.integers(colours.shape[1], size=colours.shape[1])).to(colours.device)]
        for colours, generator in zip(pixels, generators, strict=True)
    ]
    return torch.stack(drawn).reshape(images.shape)


@REPLACEMENTS.register("mean-colour")
def mean_colour(images: Tensor, *, generators: Generators) -> Tensor:
    """The image's own mean colour."""
    return torch.stack([colour_of(image) for image in images]).expand_as(images)


def colour_of(image: Tensor) -> Tensor:
    """(C, 1, 1) mean colour of one image (C, H, W); one by one, so that no batch changes the rounding."""
    return image.double().mean(dim=(1, 2), keepdim=True).to(image)


@REPLACEMENTS.register("uniform")
def uniform(images: Tensor, *, generators: Generators) -> Tensor:
    """Independent draws from U[0, 1] for every pixel and channel [Samek2017]."""
    draws = [
        generator.random(image.shape, dtype=np.float32) for image, generator in zip(images, generators, strict=True)
    ]
    return torch.from_numpy(np.stack(draws)).to(images)  # (N, C, H, W)
