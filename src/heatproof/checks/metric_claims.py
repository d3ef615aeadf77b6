"""What a metric claims, and a metric under test, which is asked on networks with known answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from heatproof.checks import toys
from heatproof.checks.findings import Finding, judged
from heatproof.checks.toys import Toys
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.registry import unknown

Metric = Callable[[Network, Tensor, Tensor, Tensor], Tensor | np.ndarray | Sequence[float]]

KNOWN = {"value": ("aopc", "abpc"), "replacement": ("zero", "uniform"), "score": ("logit", "probability")}
CLOSE = 1e-3  # of the spread between a good map and its opposite
COUNT = 8


@dataclass(frozen=True)
class MetricClaims:
    """What a metric claims; what it does not claim is not checked.

    Attributes:
        higher_is_better: its direction.
        region: side of the regions, in pixels, that it removes.
        value: "aopc" or "abpc", if it is one, over all regions of the image.
        replacement: "zero" or "uniform" (noise), if a removed region becomes that.
        score: "logit" or "probability", if it follows that.
        chance: what random maps get on average; for "abpc" 0 where nothing is said.
        only_order: only the order of the regions' relevance counts, not its size.

    Raises:
        InputError: for a value, replacement or score that is not known, and for a region below one pixel.
    """

    higher_is_better: bool = True
    region: int = 9
    value: str | None = None
    replacement: str | None = None
    score: str | None = None
    chance: float | None = None
    only_order: bool = True

    def __post_init__(self) -> None:
        for what, known in KNOWN.items():
            claimed = getattr(self, what)
            if claimed is not None and claimed not in known:
                raise InputError(unknown(what, claimed, known))
        if self.region < 1:
            raise InputError(f"region must be at least 1 pixel, got {self.region}")
        if self.chance is None and self.value == "abpc":
            object.__setattr__(self, "chance", 0.0)


@dataclass(frozen=True)
class MetricUnderTest:
    """A metric, what it claims, a network of the user's if there is one, and those of the suite."""

    metric: Metric
    claims: MetricClaims
    network: Network | None
    toys: Toys

    def evaluate(self, network: Network, images: Tensor, heatmaps: Tensor) -> Tensor:
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
        height, width = size or (toys.side(self.claims.region),) * 2
        return toys.mosaics(count, height, width, self.claims.region)

    def ask(self, images: Tensor, heatmaps: Tensor) -> Tensor:
        """Values on the network whose best map is the brightness of the image."""
        return self.evaluate(self.toys.brightness(), images, heatmaps)

    def ask_random(self, images: Tensor, seed: int) -> Tensor:
        """Values of maps that know nothing of the images, on the same network."""
        return self.ask(images, toys.random_maps(*images[:, 0].shape, seed=seed))

    def spread(self, size: tuple[int, int] | None = None) -> float:
        """How far a good map and its opposite are apart: the scale of the metric."""
        images = self.mosaics(size=size)
        gap = self.ask(images, bright(images)) - self.ask(images, dull(images))
        return max(float(gap.abs().mean()), 1e-12)

    def general(self) -> tuple[Network, list[Tensor]]:
        """A network, images and random maps for checks that need no known answer."""
        size = toys.size_of(self.network) if self.network else (toys.side(self.claims.region),) * 2
        shape = (COUNT // 2, *size)
        return self.network or self.toys.cnn(), [toys.noise(*shape), toys.random_maps(*shape, seed=0)]

    def same(self, one: Tensor, other: Tensor, how: str) -> Finding:
        """Whether two sets of values are the same, but for rounding."""
        scale = max(float(one.std()), float(one.abs().max()) * 0.1, 1e-12)
        gap = float((one - other).abs().max()) / scale
        return judged(gap <= CLOSE, f"{how}: values differ by {gap:.1%} of their spread", f"at most {CLOSE:.1%}")

    def ordered(self, size: tuple[int, int]) -> Finding:
        """Whether a good map, random maps and the good map's opposite come in the stated order, at this image size."""
        images = self.mosaics(size=size)
        chance = torch.stack([self.ask_random(images, seed) for seed in range(2)])
        values = self.ask(images, bright(images)), chance, self.ask(images, dull(images))
        means = [float(value.mean()) for value in values]
        higher = self.claims.higher_is_better
        gaps = [one - other if higher else other - one for one, other in pairwise(means)]
        sign = ">" if higher else "<"
        seen = "good {:.3g}, random {:.3g}, bad {:.3g}".format(*means)
        return judged(min(gaps) > 0, seen, f"good {sign} random {sign} bad")


def bright(images: Tensor) -> Tensor:
    """(N, H, W) the brightness of each pixel."""
    return images.mean(dim=1)


def dull(images: Tensor) -> Tensor:
    """(N, H, W) how much each pixel lacks of full brightness: the opposite order, without negative values."""
    return 1 - bright(images)
