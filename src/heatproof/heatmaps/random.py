"""Random heatmaps: what every method must beat."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from heatproof.bounds import SEED
from heatproof.heatmaps.methods import ForwardPass, register
from heatproof.randomness import addressed, identify


@register("random")
def random(forward: ForwardPass, *, seed: Annotated[int, SEED] = 0) -> Tensor:
    """Independent standard normal values per pixel, the same for the same image and seed."""
    height, width = forward.images.shape[2:]
    maps = [
        addressed(seed=seed, image=image, purpose="random heatmap").standard_normal((height, width), dtype=np.float32)
        for image in identify(forward.images)
    ]
    return torch.from_numpy(np.stack(maps)).to(forward.inputs)
