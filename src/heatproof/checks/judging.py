"""A metric as the subject of checks: what it claims, and how it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from heatproof.checks import toys
from heatproof.checks.findings import Finding, Suite, judged
from heatproof.checks.toys import Toys
from heatproof.errors import InputError
from heatproof.network import Network

Metric = Callable[[Network, Tensor, Tensor, Tensor], Tensor | np.ndarray | Sequence[float]]

VALUES, REPLACEMENTS, SCORES = ("aopc", "abpc"), ("zero", "uniform"), ("logit", "probability")
CLOSE = 1e-3  # of the spread between a good map and its opposite
COUNT = 8
FLIPPED = 24  # images for the check of ties: chance must not look like a habit
ERRORS = 4.0  # standard errors that chance may be away


@dataclass(frozen=True)
class Subject:
    """A metric and what it says of itself; see :func:`check_metric`."""

    metric: Metric
    higher_is_better: bool
    region: int
    value: str | None
    replacement: str | None
    score: str | None
    chance: float | None
    only_order: bool
    network: Network | None
    toys: Toys = field(default_factory=Toys)

    def values(self, network: Network, images: Tensor, heatmaps: Tensor) -> Tensor:
        """(N,) float64 values for class 0 (the predicted classes of an own network), checked."""
        own = network is self.network
        targets = toys.predicted(network, images) if own else torch.zeros(len(images), dtype=torch.int64)
        found = torch.as_tensor(self.metric(network, images, targets, heatmaps)).detach().cpu().double()
        if tuple(found.shape) != (len(images),):
            raise InputError(f"expected one value for each image, ({len(images)},), got {tuple(found.shape)}")
        if not bool(torch.isfinite(found).all()):
            raise InputError("a value is NaN or infinite")
        return found

    def mosaics(self, count: int = COUNT, size: tuple[int, int] | None = None) -> Tensor:
        """Images of squares as large as the metric's regions."""
        height, width = size or (toys.side(self.region),) * 2
        return toys.mosaics(count, height, width, self.region)

    def ask(self, images: Tensor, heatmaps: Tensor) -> Tensor:
        """Values on the network whose best map is the brightness of the image."""
        return self.values(self.toys.brightness(), images, heatmaps)

    def spread(self, size: tuple[int, int] | None = None) -> float:
        """How far a good map and its opposite are apart: the scale of the metric."""
        images = self.mosaics(size=size)
        gap = self.ask(images, bright(images)) - self.ask(images, dull(images))
        return max(float(gap.abs().mean()), 1e-12)

    def general(self) -> tuple[Network, Tensor, Tensor]:
        """A network, images and random maps for checks that need no known answer."""
        if self.network is None:
            network, images = self.toys.cnn(), toys.noise(COUNT // 2, *(toys.side(self.region),) * 2)
        else:
            size = self.network.preprocessing.crop or self.network.preprocessing.resize or 64
            network, images = self.network, toys.noise(COUNT // 2, *((size, size) if isinstance(size, int) else size))
        return network, images, toys.maps_for(images, seed=0)


SUITE: Suite[Subject] = Suite()


def bright(images: Tensor) -> Tensor:
    """(N, H, W) the brightness of each pixel."""
    return images.mean(dim=1)


def dull(images: Tensor) -> Tensor:
    """(N, H, W) how much each pixel lacks of full brightness: the opposite order, without negative values."""
    return 1 - bright(images)


def ordered(subject: Subject, size: tuple[int, int]) -> Finding:
    """Whether a good map, random maps and the good map's opposite come in the stated order, for images of ``size``."""
    images = subject.mosaics(size=size)
    good = bright(images)
    chance = torch.stack([subject.ask(images, toys.maps_for(images, seed=seed)) for seed in range(2)])
    means = [float(value.mean()) for value in (subject.ask(images, good), chance, subject.ask(images, dull(images)))]
    gaps = [one - other if subject.higher_is_better else other - one for one, other in pairwise(means)]
    sign = ">" if subject.higher_is_better else "<"
    seen = "good {:.3g}, random {:.3g}, bad {:.3g}".format(*means)
    return judged(min(gaps) > 0, seen, f"good {sign} random {sign} bad")


def same(subject: Subject, one: Tensor, other: Tensor, how: str) -> Finding:
    """Whether two sets of values are the same, but for rounding."""
    scale = max(float(one.std()), float(one.abs().max()) * 0.1, 1e-12)
    gap = float((one - other).abs().max()) / scale
    return judged(gap <= CLOSE, f"{how}: values differ by {gap:.1%} of their spread", f"at most {CLOSE:.1%}")
