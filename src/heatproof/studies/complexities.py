"""How complex a heatmap is: what is measured of it."""

import numpy as np

from heatproof.measures.complexity import entropy, gini, jpeg_size, png_size
from heatproof.report import heatmap_rgb


def complexities(heatmaps: np.ndarray) -> dict[str, np.ndarray]:
    """Every quantity (N,) of signed heatmaps (N, H, W), by its name in ``results.complexity``."""
    pictures = np.stack([heatmap_rgb(heatmap) for heatmap in heatmaps])
    return {
        "PNG": png_size(pictures),
        "JPEG": jpeg_size(pictures),
        "entropy": entropy(pictures),
        "Gini": gini(heatmaps),
    }
