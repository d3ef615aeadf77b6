"""How many images two designs of a comparison need for equal errors, as shares of what they are to find."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import norm

FAMILY_WISE_ERROR = 0.05

Pair = tuple[str, str]


@dataclass(frozen=True)
class Differences:
    """Differences between methods under one design, by pair.

    Attributes:
        means: over images.
        variances: of one image.
        images: from how many both are estimated.
    """

    means: dict[Pair, float]
    variances: dict[Pair, float]
    images: int

    def share(self, pairs: list[Pair]) -> float:
        """Sum of the variances of one image by the sum of squared differences, without what noise adds to these.

        Infinite where noise is more than half of it: then there are too few images to say.

        >>> Differences({("a", "b"): 3.0}, {("a", "b"): 4.0}, images=4).share([("a", "b")])
        0.5
        """
        variance = sum(self.variances[pair] for pair in pairs)
        noise = variance / self.images
        squares = sum(self.means[pair] ** 2 for pair in pairs) - noise
        return variance / squares if squares > noise else math.inf

    def hardest(self, pairs: list[Pair]) -> int:
        """Images until each of these pairs is significant, where all pairs are tested, by Bonferroni.

        >>> Differences({("a", "b"): 1.0}, {("a", "b"): 4.0}, images=4).hardest([("a", "b")])  # 1.96² · 4
        16
        """
        quantile = float(norm.isf(FAMILY_WISE_ERROR / len(self.means) / 2))
        return math.ceil(max(quantile**2 * self.variances[pair] / self.means[pair] ** 2 for pair in pairs))


def differences(runs: list[Mapping[str, np.ndarray]], repeats: int) -> Differences:
    """From values (n,) by method of one repeat, or of two from which those of more follow.

    >>> once = {"a": np.array([1.0, 3.0]), "b": np.zeros(2)}
    >>> found = differences([once, {"a": np.array([3.0, 5.0]), "b": np.zeros(2)}], repeats=10)
    >>> found.means, found.variances  # 2 between images, of which 1 from two repeats; 2 within
    ({('a', 'b'): 3.0}, {('a', 'b'): 1.2})
    """
    means, variances, images = {}, {}, 0
    for one, other in combinations(runs[0], 2):
        values = np.stack([run[one] - run[other] for run in runs])  # (repeats of the pilot, n)
        within = float(values.var(axis=0, ddof=1).mean()) if len(runs) > 1 else 0.0
        between = float(values.mean(axis=0).var(ddof=1)) - within / len(runs)
        means[one, other], variances[one, other] = float(values.mean()), max(0.0, between) + within / repeats
        images = values.shape[1]
    return Differences(means, variances, images)
