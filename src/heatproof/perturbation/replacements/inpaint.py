"""Inpainting by OpenCV."""

from collections.abc import Sequence
from types import ModuleType
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.perturbation.replacements.mean_colour import colour_of
from heatproof.perturbation.replacements.replacements import register


@register("inpaint")
def inpaint(
    images: Tensor,
    *,
    removed: Tensor,
    generators: Sequence[np.random.Generator],
    radius: Annotated[int, Bounds(1, 100)] = 3,
) -> Tensor:
    """What is removed is painted over from its border inwards, by OpenCV [Telea2004].

    In steps of 1/255. An image of which nothing is left becomes its mean colour.
    """
    cv2 = _opencv()
    return torch.stack([_painted(cv2, image, gone, radius) for image, gone in zip(images, removed, strict=True)])


def _painted(cv2: ModuleType, image: Tensor, removed: Tensor, radius: int) -> Tensor:
    """(C, H, W) with the removed pixels (H, W) painted over."""
    if bool(removed.all()):  # OpenCV would leave the image as it is
        return colour_of(image).expand_as(image)
    left = image[:, ~removed].double().mean(dim=1)[:, None, None]
    known = torch.where(removed, left, image.double())  # OpenCV also looks at pixels that it is to paint over
    where = removed.cpu().numpy().astype(np.uint8)
    channels = (known * 255).round().clamp(0, 255).byte().cpu().numpy()
    painted = np.stack([cv2.inpaint(channel, where, radius, cv2.INPAINT_TELEA) for channel in channels])
    return torch.where(removed, torch.from_numpy(painted).to(image) / 255, image)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "replacement 'inpaint' needs OpenCV, which is not installed: pip install \"heatproof[inpaint]\""
        ) from error
    return cv2
