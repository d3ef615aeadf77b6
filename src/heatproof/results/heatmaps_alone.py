"""What studies have in common that measure heatmaps alone, of which nothing is removed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from heatproof.measures import Estimate, estimate
from heatproof.results.comparison import ComparisonResult
from heatproof.results.contrasts import Contrast, contrasts, higher_first


@dataclass(frozen=True)
class HeatmapsAlone:
    """What was measured of heatmaps, of which nothing was removed.

    Attributes:
        found: the measures of each image's heatmaps.
    """

    found: ComparisonResult

    @property
    def network(self) -> Mapping[str, Any]:
        """Description of the network, with a hash of its weights."""
        return self.found.network

    @cached_property
    def heatmaps(self) -> dict[str, np.ndarray]:
        """(n, H, W) of the first images, by method."""
        return {name: maps.numpy() for name, maps in self.found.shown.heatmaps.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names of the images."""
        return self.found.names

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Names of pictures that could not be used, each with the reason."""
        return self.found.skipped

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Errors of shards that could not be computed."""
        return self.found.set_aside

    @property
    def work(self) -> None:
        """None: nothing is removed."""
        return None


@dataclass(frozen=True)
class ValuesOfHeatmaps(HeatmapsAlone, ABC):
    """Values of each heatmap, by quantity and method, some of which may be missing (NaN)."""

    @property
    @abstractmethod
    def values(self) -> Mapping[str, Mapping[str, np.ndarray]]:
        """(N,) by quantity and method."""

    @abstractmethod
    def higher_is_better(self, quantity: str) -> bool:
        """Whether higher values are better."""

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Means over images that have a value, with 95 % intervals, by quantity and method; NaN where none has."""
        return {
            quantity: {name: _estimate(values) for name, values in methods.items()}
            for quantity, methods in self.values.items()
        }

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], Contrast]:
        """How much better one method is than another on the same images, by quantity, better and other method.

        The pairs of a quantity are a family.
        """
        found: dict[tuple[str, str, str], Contrast] = {}
        for quantity, values in self.values.items():
            sign = 1 if self.higher_is_better(quantity) else -1
            gaps = {
                (quantity, a, b): sign * (values[a] - values[b]) for a, b in combinations(self.ordered(quantity), 2)
            }
            known = {pair: gap[np.isfinite(gap)] for pair, gap in gaps.items()}
            found |= contrasts({pair: gap for pair, gap in known.items() if len(gap)})
        return higher_first(found)

    def ordered(self, quantity: str) -> list[str]:
        """Methods, the best first; those without a value last."""
        sign = -1 if self.higher_is_better(quantity) else 1
        means = {name: one.mean for name, one in self.estimates[quantity].items()}
        return sorted(means, key=lambda name: (np.isnan(means[name]), sign * means[name]))


def _estimate(values: np.ndarray) -> Estimate:
    known = values[np.isfinite(values)]
    return estimate(known) if len(known) else Estimate(np.nan, np.nan, np.nan)
