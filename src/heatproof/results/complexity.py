"""What was found about the complexity of heatmaps."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import polars as pl

from heatproof.measures import Estimate, estimate
from heatproof.results.contrasts import Contrast, contrasts
from heatproof.results.heatmaps_alone import HeatmapsAlone


@dataclass(frozen=True)
class ComplexityMeasure:
    """What is measured of a heatmap: its name in a sentence, its unit, its column, and its direction."""

    sentence: str
    unit: str
    column: str
    higher_is_simpler: bool = False


QUANTITIES = {
    "PNG": ComplexityMeasure("PNG file size", " KB", "png_kb"),
    "JPEG": ComplexityMeasure("JPEG file size", " KB", "jpeg_kb"),
    "entropy": ComplexityMeasure("Entropy", " bits", "entropy_bits"),
    "Gini": ComplexityMeasure("Gini coefficient", "", "gini", higher_is_simpler=True),
}


@dataclass(frozen=True)
class ComplexityResult(HeatmapsAlone):
    """How complex the heatmaps of several methods are; ``studies.Simplicity`` says what its attributes are."""

    @cached_property
    def heatmaps(self) -> dict[str, np.ndarray]:
        """(n, H, W) of the first images, by method."""
        return {name: maps.numpy() for name, maps in self.found.shown.heatmaps.items()}

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(N,) by quantity (PNG and JPEG in KB, entropy in bits: lower is simpler; Gini: higher is) and method."""
        measured = self.found.found.measured
        return {quantity: {name: found[quantity] for name, found in measured.items()} for quantity in QUANTITIES}

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Means over images with 95 % intervals, by quantity and method."""
        return {
            quantity: {name: estimate(values) for name, values in methods.items()}
            for quantity, methods in self.values.items()
        }

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], Contrast]:
        """How much simpler one method is than another on the same images, by quantity, simpler and other method.

        The pairs of a quantity are a family.
        """
        found: dict[tuple[str, str, str], Contrast] = {}
        for quantity, values in self.values.items():
            sign = -1 if QUANTITIES[quantity].higher_is_simpler else 1
            pairs = combinations(self.ordered(quantity), 2)
            found |= contrasts({(quantity, a, b): sign * (values[b] - values[a]) for a, b in pairs})
        return found

    def ordered(self, quantity: str) -> list[str]:
        """Methods, the simplest first."""
        sign = -1 if QUANTITIES[quantity].higher_is_simpler else 1
        means = self.estimates[quantity]
        return sorted(means, key=lambda name: sign * means[name].mean)

    def frame(self) -> pl.DataFrame:
        """One row per image and method; columns image, method, png_kb, jpeg_kb, entropy_bits, gini."""
        methods = list(self.heatmaps)
        return pl.DataFrame(
            {"image": [name for _ in methods for name in self.names], "method": np.repeat(methods, len(self.names))}
            | {
                quantity.column: np.concatenate([self.values[key][name] for name in methods])
                for key, quantity in QUANTITIES.items()
            }
        )
