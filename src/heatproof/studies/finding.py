"""Whether a heatmap finds what was planted: what is measured of it."""

import numpy as np

from heatproof.measures.planted import pointing_game, positive_share


def found_inside(heatmaps: np.ndarray, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Every quantity (N,) of signed heatmaps (N, H, W), by its name in ``results.planted``.

    ``positive`` is 1 for a map that has positive relevance, and 0 for one that counts as chance.
    """
    positive: np.ndarray = np.any(heatmaps > 0, axis=(1, 2)).astype(np.float64)
    return {
        "share": positive_share(heatmaps, inside),
        "pointing": pointing_game(heatmaps, inside),
        "positive": positive,
    }
