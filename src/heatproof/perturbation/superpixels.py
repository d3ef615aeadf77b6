"""Superpixels: regions that follow the picture."""

from types import ModuleType
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.perturbation.regions import REGIONS


@REGIONS.register("slic")
def slic(
    images: Tensor,
    *,
    segments: Annotated[int, Bounds(1, 100_000)] = 100,
    compactness: Annotated[float, Bounds(1e-3, 1e6)] = 10.0,
) -> Tensor:
    """About so many ``segments`` of similar colour; more ``compactness`` makes them squarer [Achanta2012]."""
    segmentation = _segmentation()
    maps = []
    for image in images.double().cpu().clamp(0, 1).permute(0, 2, 3, 1).numpy():  # (H, W, C)
        found = segmentation.slic(image, n_segments=segments, compactness=compactness, start_label=0, channel_axis=-1)
        maps.append(np.unique(found, return_inverse=True)[1].reshape(found.shape))  # without gaps
    return torch.from_numpy(np.stack(maps)).long()


def _segmentation() -> ModuleType:
    try:
        from skimage import segmentation
    except ImportError as error:
        raise InputError(
            "regions 'slic' need scikit-image, which is not installed: pip install \"heatproof[superpixels]\""
        ) from error
    module: ModuleType = segmentation
    return module
