"""Which steps of a sequence are scored: all of them, or one drawn at random in each stratum.

Steps 1 … L are cut into K strata of nearly equal size. One step is drawn in each, for each image and repeat, the same
for all orders; a score stands for as many steps as its stratum has. So every sum over steps is estimated without bias,
and neighbouring steps, which say nearly the same, are not paid for [Cochran1977].
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.randomness import addressed


def stratum_ends(steps: int, scored: int) -> Tensor:
    """(K + 1,) the last step of each stratum; the untouched image, step 0, is a stratum of its own.

    >>> stratum_ends(10, 4)
    tensor([ 0,  2,  5,  7, 10])
    """
    return torch.arange(scored + 1) * steps // scored


def scored_steps(steps: int, scored: int, *, repeats: int, seed: int, ids: Sequence[str]) -> Tensor:
    """(N, repeats, K) ascending steps, one drawn in each of K strata of 1 … L for each image and repeat.

    >>> scored_steps(4, 4, repeats=1, seed=0, ids=["an image"])
    tensor([[[1, 2, 3, 4]]])
    """
    ends = stratum_ends(steps, scored).numpy()
    if scored == steps:
        return torch.arange(1, steps + 1).expand(len(ids), repeats, steps)
    drawn = [
        [
            addressed(seed=seed, image=image, purpose="scored steps", repeat=repeat).integers(
                ends[:-1] + 1, ends[1:] + 1
            )
            for repeat in range(repeats)
        ]
        for image in ids
    ]
    return torch.from_numpy(np.array(drawn))
