r"""Colours drawn from a modified Dirichlet distribution that is fitted to a data set.

The paper draws RGB from a modified four-dimensional Dirichlet distribution that keeps image statistics, with r, g, b in
[0, 1] and r + g + b in [0, 3], and does not print the modification. Ours: the four shares d ~ Dir(α_r, α_g, α_b, α_0)
are those of three colours and of darkness, and a channel is its colour's share beside darkness,

.. math:: r = \frac{d_r}{d_r + d_0}, \quad g = \frac{d_g}{d_g + d_0}, \quad b = \frac{d_b}{d_b + d_0}.

So each channel is Beta(α_c, α_0) distributed and lies in [0, 1]; since darkness is shared, channels rise and fall
together, as in photographs. With α_c = α_0 μ_c / (1 − μ_c) the mean is the data's at that location, exactly, and the
variance is μ_c (1 − μ_c) / (α_0 / (1 − μ_c) + 1), which falls with α_0, the one left to choose: so that the channels'
variances add up to the data's. Images with C channels have a Dirichlet distribution of C + 1 dimensions. Correlations
of channels follow from that; they are about half of those in photographs (0.45 where these have 0.8 to 0.9).
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.replacements import REPLACEMENTS, Generators
from heatproof.perturbation.statistics import Statistics

BRIGHTEST = 1 - 1e-6  # a mean of 1 would need infinite α
LEAST, MOST = 0.02, 1e8  # of α_0: below, draws underflow; above, they are the mean
HALVINGS = 60


@REPLACEMENTS.register("dirichlet")
def dirichlet(images: Tensor, *, generators: Generators, statistics: Statistics) -> Tensor:
    """Colours from a Dirichlet distribution with a data set's mean and spread at each location [Samek2017]."""
    shapes = _shapes(statistics)  # (C + 1, H, W)
    draws = [_channels(generator.standard_gamma(shapes)) for generator in generators]
    return torch.from_numpy(np.stack(draws)).to(images)  # (N, C, H, W)


def _channels(gammas: np.ndarray) -> np.ndarray:
    """(C, H, W) values in [0, 1] of gamma draws (C + 1, H, W): a Dirichlet draw's shares before they are normalised."""
    colours, darkness = gammas[:-1], gammas[-1:]
    values: np.ndarray = colours / np.maximum(colours + darkness, np.finfo(np.float64).tiny)
    return values


@lru_cache(maxsize=4)
def _shapes(statistics: Statistics) -> np.ndarray:
    """(C + 1, H, W) parameters α of the distribution, the last for darkness."""
    mean = statistics.mean.double().numpy().clip(0, BRIGHTEST)
    wanted = (statistics.std.double().numpy() ** 2).sum(axis=0)
    low, high = np.full_like(wanted, np.log(LEAST)), np.full_like(wanted, np.log(MOST))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_wide = _variance(mean, np.exp(middle)).sum(axis=0) > wanted
        low, high = np.where(too_wide, middle, low), np.where(too_wide, high, middle)
    darkness = np.exp((low + high) / 2)
    return np.concatenate([darkness * mean / (1 - mean), darkness[None]])


def _variance(mean: np.ndarray, darkness: np.ndarray) -> np.ndarray:
    """(C, H, W) variance of each channel, which is Beta(α_0 μ / (1 − μ), α_0) distributed."""
    values: np.ndarray = mean * (1 - mean) / (darkness / (1 - mean) + 1)
    return values
