"""How complex a heatmap is: what is measured of it."""

from dataclasses import dataclass

import numpy as np

from heatproof.measures.complexity import entropy, gini, jpeg_size, png_size
from heatproof.report import heatmap_rgb


@dataclass(frozen=True)
class Quantity:
    """What is measured of a heatmap: its name in a sentence, its unit, its column, and its direction."""

    sentence: str
    unit: str
    column: str
    higher_is_simpler: bool = False


QUANTITIES = {
    "PNG": Quantity("PNG file size", " KB", "png_kb"),
    "JPEG": Quantity("JPEG file size", " KB", "jpeg_kb"),
    "entropy": Quantity("Entropy", " bits", "entropy_bits"),
    "Gini": Quantity("Gini coefficient", "", "gini", higher_is_simpler=True),
}


def complexities(heatmaps: np.ndarray) -> dict[str, np.ndarray]:
    """Every quantity (N,) of signed heatmaps (N, H, W), by its name in ``QUANTITIES``."""
    pictures = np.stack([heatmap_rgb(heatmap) for heatmap in heatmaps])
    return {
        "PNG": png_size(pictures),
        "JPEG": jpeg_size(pictures),
        "entropy": entropy(pictures),
        "Gini": gini(heatmaps),
    }
