"""What was found about the complexity of heatmaps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from heatproof.results.heatmaps_alone import ValuesOfHeatmaps


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
class ComplexityResult(ValuesOfHeatmaps):
    """How complex the heatmaps of several methods are; ``studies.Simplicity`` says what its attributes are."""

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(N,) by quantity (PNG and JPEG in KB, entropy in bits: lower is simpler; Gini: higher is) and method."""
        measured = self.found.found.measured
        return {quantity: {name: found[quantity] for name, found in measured.items()} for quantity in QUANTITIES}

    def higher_is_better(self, quantity: str) -> bool:
        """Whether higher values are simpler."""
        return QUANTITIES[quantity].higher_is_simpler

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
