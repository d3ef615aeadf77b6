"""Superpixels: regions that follow the picture."""

from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation.regions import REGIONS


@REGIONS.register("slic")
def slic(images: Tensor, *, segments: int = 100, compactness: float = 10.0) -> Tensor:
    """About so many ``segments`` of similar colour; more ``compactness`` makes them squarer [Achanta2012]."""
    if segments < 1 or compactness <= 0:
        raise InputError(f"slic needs segments ≥ 1 and compactness > 0, got {segments} and {compactness}")
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
