"""What was found on mosaics, of which it is known where the evidence for a class lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from heatproof.measures import Estimate, estimate
from heatproof.results.chosen import Chosen
from heatproof.results.contrasts import Contrast, contrasts

QUANTITIES = ("share", "pointing")  # of positive relevance in the right tile; whether the largest value lies there


@dataclass(frozen=True)
class PlantedResult:
    """How well heatmaps find the right tile of mosaics; ``studies.PlantedTruth`` says what its attributes are."""

    network: Mapping[str, Any]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: np.ndarray
    photographs: np.ndarray
    probabilities: np.ndarray
    chance_of_tiles: np.ndarray
    measured: Mapping[str, Mapping[str, np.ndarray]]
    without_evidence: Mapping[str, int]
    shown: Chosen
    grid: int
    seen: float
    seed: int
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Nothing is computed in shards."""
        return ()

    @property
    def work(self) -> None:
        """Nothing is removed."""
        return None

    @property
    def methods(self) -> list[str]:
        """The one with the largest share of positive relevance in the right tile first."""
        return self.ordered("share")

    @cached_property
    def places(self) -> np.ndarray:
        """(S, 2) mosaic and tile of each class that the network sees."""
        return np.argwhere(self.probabilities > self.seen)

    @property
    def mosaics(self) -> int:
        """How many mosaics have a class that the network sees; intervals and tests are over them."""
        return len(np.unique(self.places[:, 0]))

    @property
    def unused(self) -> int:
        """How many photographs are in no mosaic."""
        return len(self.names) - self.photographs.size

    @property
    def chance(self) -> float:
        """Mean over mosaics of what a constant map gets: 1 / grid², but for a pixel where tiles differ."""
        return float(self._by_mosaic(self.chance_of_tiles[self.places[:, 1]]).mean())

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(n,) means over the tiles of each mosaic that the network sees, by quantity and method.

        Tiles of a mosaic are no independent evidence: they share one picture.
        """
        return {
            quantity: {name: self._by_mosaic(found) for name, found in methods.items()}
            for quantity, methods in self.measured.items()
        }

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Means over mosaics with 95 % intervals, which end at 0 and 1, by quantity and method."""
        return {
            quantity: {name: _within_0_and_1(estimate(found)) for name, found in methods.items()}
            for quantity, methods in self.values.items()
        }

    @cached_property
    def above_chance(self) -> dict[str, dict[str, Contrast]]:
        """By how much a method exceeds chance, by quantity and method; the methods of a quantity are a family."""
        chance = self._by_mosaic(self.chance_of_tiles[self.places[:, 1]])
        return {
            quantity: contrasts({name: found - chance for name, found in methods.items()})
            for quantity, methods in self.values.items()
        }

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], Contrast]:
        """By how much a method exceeds another on the same mosaics, by quantity and both names, better one first.

        The pairs of a quantity are a family.
        """
        found: dict[tuple[str, str, str], Contrast] = {}
        for quantity, values in self.values.items():
            pairs = combinations(self.ordered(quantity), 2)
            found |= contrasts({(quantity, a, b): values[a] - values[b] for a, b in pairs})
        return found

    def ordered(self, quantity: str) -> list[str]:
        """Methods, the best first; equal ones by name."""
        means = self.estimates[quantity]
        return sorted(means, key=lambda name: (-means[name].mean, name))

    def frame(self) -> pl.DataFrame:
        """One row per method and class that the network sees in a mosaic.

        Columns: ``mosaic`` and ``tile`` (numbers from 0, tiles row by row), ``image`` (name of the photograph there),
        ``target`` (its class), ``method``, ``share``, ``pointing``, ``chance`` (the tile's share of the pixels).
        """
        mosaics, tiles = self.places.T
        images = self.photographs[mosaics, tiles]
        each = {
            "mosaic": mosaics,
            "tile": tiles,
            "image": [self.names[number] for number in images],
            "target": self.targets[images],
        }
        frames = [
            pl.DataFrame(
                each
                | {"method": [name] * len(images)}
                | {quantity: self.measured[quantity][name] for quantity in QUANTITIES}
                | {"chance": self.chance_of_tiles[tiles]}
            )
            for name in self.methods
        ]
        return pl.concat(frames)

    def mosaics_frame(self) -> pl.DataFrame:
        """One row per tile of each mosaic: ``mosaic``, ``tile``, ``image``, ``target``, ``probability``, ``seen``."""
        mosaics, tiles = (axis.ravel() for axis in np.indices(self.photographs.shape))
        images = self.photographs.ravel()
        return pl.DataFrame(
            {
                "mosaic": mosaics,
                "tile": tiles,
                "image": [self.names[number] for number in images],
                "target": self.targets[images],
                "probability": self.probabilities.ravel(),
                "seen": self.probabilities.ravel() > self.seen,
            }
        )

    def _by_mosaic(self, values: np.ndarray) -> np.ndarray:
        """(n,) means of (S,) values over the tiles of each mosaic."""
        _, rows = np.unique(self.places[:, 0], return_inverse=True)
        means: np.ndarray = np.bincount(rows, weights=values) / np.bincount(rows)
        return means


def _within_0_and_1(found: Estimate) -> Estimate:
    return Estimate(found.mean, *np.clip([found.low, found.high], 0, 1).tolist())
