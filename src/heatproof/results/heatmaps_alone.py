"""What studies have in common that measure heatmaps alone, of which nothing is removed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heatproof.results.comparison import ComparisonResult


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
