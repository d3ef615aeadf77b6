"""What was found where it is known where the evidence for a class lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from heatproof.measures import Estimate, estimate
from heatproof.results.contrasts import Contrast, contrasts
from heatproof.results.heatmaps_alone import HeatmapsAlone
from heatproof.runs.planted_record import Place, Planted

QUANTITIES = ("share", "pointing")  # of positive relevance in the right place; whether the largest value lies there
ROUNDING = 1e-6  # of shares of heatmaps in float32


@dataclass(frozen=True)
class PlantedResult(HeatmapsAlone):
    """How well heatmaps find what was planted; ``studies.PlantedTruth`` says what its attributes are."""

    planted: Planted

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names of the photographs that could be used."""
        return self.planted.photographs

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Names of pictures that could not be used, each with the reason."""
        return (*self.planted.skipped, *self.found.skipped)

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked for, by option."""
        found: Mapping[str, Any] = self.found.plan["planted"]
        return found

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """(n) where the evidence lies that each heatmap of a method is to find."""
        by_name = {place.image: place for place in self.planted.explained}
        return tuple(by_name[name] for name in self.found.names)

    @property
    def methods(self) -> list[str]:
        """The one with the largest share of positive relevance in the right place first."""
        return self.ordered("share")

    @property
    def pictures(self) -> int:
        """How many pictures have a class that the network sees; intervals and tests are over them."""
        return len({place.picture for place in self.places})

    @property
    def unused(self) -> int:
        """How many photographs are in no mosaic."""
        return 0 if self.planted.patch else len(self.names) - len(self.planted.places)

    @property
    def without_evidence(self) -> dict[str, int]:
        """How many heatmaps of a method have no positive relevance."""
        return {name: int((found["positive"] == 0).sum()) for name, found in self.found.found.measured.items()}

    @cached_property
    def chances(self) -> np.ndarray:
        """(n,) share of the pixels of each place, which a constant heatmap gets."""
        return np.array([self.planted.chance(place) for place in self.places])

    @property
    def chance(self) -> float:
        """Mean over pictures of what a constant heatmap gets."""
        return float(self._by_picture(self.chances).mean())

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """Means over the places of each picture, by quantity and method.

        Tiles of a mosaic are no independent evidence: they share one picture.
        """
        measured = self.found.found.measured
        return {
            quantity: {name: self._by_picture(found[quantity]) for name, found in measured.items()}
            for quantity in QUANTITIES
        }

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Means over pictures with 95 % intervals, which end at 0 and 1, by quantity and method."""
        return {
            quantity: {name: _within_0_and_1(estimate(found)) for name, found in methods.items()}
            for quantity, methods in self.values.items()
        }

    @cached_property
    def above_chance(self) -> dict[str, dict[str, Contrast]]:
        """By how much a method exceeds chance, by quantity and method; the methods of a quantity are a family."""
        chance = self._by_picture(self.chances)
        return {
            quantity: contrasts({name: _excess(found, chance) for name, found in methods.items()})
            for quantity, methods in self.values.items()
        }

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], Contrast]:
        """By how much a method exceeds another on the same pictures, by quantity and both names, better one first.

        The pairs of a quantity are a family.
        """
        found: dict[tuple[str, str, str], Contrast] = {}
        for quantity, values in self.values.items():
            pairs = combinations(self.ordered(quantity), 2)
            found |= contrasts({(quantity, a, b): _excess(values[a], values[b]) for a, b in pairs})
        return found

    def ordered(self, quantity: str) -> list[str]:
        """Methods, the best first; equal ones by name."""
        means = self.estimates[quantity]
        return sorted(means, key=lambda name: (-means[name].mean, name))

    def frame(self) -> pl.DataFrame:
        """One row per method and place whose class the network sees.

        Columns: ``picture`` (its number, from 0), ``image`` (name of the photograph), ``target`` (its class),
        ``class`` (name of it), ``method``, ``share``, ``pointing``, ``chance`` (the place's share of the pixels).
        """
        each = {
            "picture": [place.picture for place in self.places],
            "image": [place.image for place in self.places],
            "target": [place.target for place in self.places],
            "class": list(self.found.classes),
        }
        frames = [
            pl.DataFrame(
                each
                | {"method": [name] * len(self.places)}
                | {quantity: measured[quantity] for quantity in QUANTITIES}
                | {"chance": self.chances}
            )
            for name, measured in self.found.found.measured.items()
        ]
        return pl.concat(frames)

    def places_frame(self) -> pl.DataFrame:
        """One row per place of each picture.

        Columns: ``picture``, ``image``, ``target``, ``top``, ``left``, ``bottom``, ``right`` (first row and column, and
        the ends of both), ``probability`` of the class on the whole picture, ``seen``.
        """
        names = ("top", "left", "bottom", "right")
        return pl.DataFrame(
            [
                {"picture": place.picture, "image": place.image, "target": place.target}
                | dict(zip(names, place.box, strict=True))
                | {"probability": place.probability, "seen": place.seen}
                for place in self.planted.places
            ]
        )

    def _by_picture(self, values: np.ndarray) -> np.ndarray:
        """Means of (n,) values over the places of each picture."""
        _, rows = np.unique([place.picture for place in self.places], return_inverse=True)
        means: np.ndarray = np.bincount(rows, weights=values) / np.bincount(rows)
        return means


def _excess(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """By how much values exceed others; what rounding leaves, as of a symmetric map, is no difference."""
    found: np.ndarray = values - others
    return np.where(np.abs(found) < ROUNDING, 0, found)


def _within_0_and_1(found: Estimate) -> Estimate:
    return Estimate(found.mean, *np.clip([found.low, found.high], 0, 1).tolist())
