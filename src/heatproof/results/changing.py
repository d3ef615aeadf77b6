"""What was found of heatmaps that were made again after the image or the network was changed."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from heatproof.heatmaps.control_methods import INPUT_ONLY, kind_of_control
from heatproof.results.heatmaps_alone import ValuesOfHeatmaps

RELEVANCE = "relevance"  # the measure that is 1 for a heatmap that has relevance, and 0 for one that is all zero


@dataclass(frozen=True)
class ChangingResult(ValuesOfHeatmaps, ABC):
    """How heatmaps changed with the image or the network."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked for, by option."""
        found: Mapping[str, Any] = self.found.plan["changing"]
        return found

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the order in which they were given."""
        return list(self.found.found.measured)

    @property
    def input_only(self) -> list[str]:
        """Methods that never see the network."""
        return [name for name in self.methods if kind_of_control(name) in INPUT_ONLY]

    @cached_property
    def without_relevance(self) -> dict[str, np.ndarray]:
        """(N,) whether the heatmap is all zero, and so has no value, by method."""
        return {name: found[RELEVANCE] == 0 for name, found in self.found.found.measured.items()}

    def judged(self, quantity: str) -> list[str]:
        """Methods with values that a verdict is about, the best first: no input-only baselines, if there are others."""
        known = [name for name in self.ordered(quantity) if np.isfinite(self.estimates[quantity][name].mean)]
        return [name for name in known if name not in self.input_only] or known
