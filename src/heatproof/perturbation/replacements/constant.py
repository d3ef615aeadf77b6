"""The mean image of a data set."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from heatproof.perturbation.replacements.replacements import register
from heatproof.perturbation.statistics import Statistics


@register("constant")
def constant(images: Tensor, *, generators: Sequence[np.random.Generator], statistics: Statistics) -> Tensor:
    """The mean colour of a data set at each location: its mean image [Samek2017]."""
    return statistics.mean.to(images).expand_as(images)
