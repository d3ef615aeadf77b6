"""Whether a heatmap finds the place that it should: shares of positive relevance, and where the largest value lies."""

import numpy as np

from heatproof.errors import InputError


def positive_share(heatmaps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    r"""Share of each heatmap's positive relevance that lies in its tile; higher is better [Boehle2021].

    .. math:: \frac{\sum_{i \in \mathrm{tile}} \max(r_i, 0)}{\sum_i \max(r_i, 0)}

    A map without positive relevance points nowhere and counts as a constant one: it gets the tile's share of pixels.

    Args:
        heatmaps: (N, H, W), signed.
        inside: (N, H, W) or (H, W), true in the tile.

    Returns:
        (N,) from 0 to 1. The tile's mask gets 1, a constant map the tile's share of the pixels, which is chance.

    >>> upper = np.array([[True, True], [False, False]])
    >>> positive_share(np.array([[[3.0, 0.0], [1.0, -9.0]], [[1.0, 1.0], [1.0, 1.0]]]), upper)
    array([0.75, 0.5 ])
    """
    maps, tiles = _checked(heatmaps, inside)
    positive = maps.clip(min=0)
    positive[~positive.any(axis=1)] = 1
    positive /= positive.max(axis=1, keepdims=True)  # so that no sum overflows
    shares: np.ndarray = (positive * tiles).sum(axis=1) / positive.sum(axis=1)
    return shares


def pointing_game(heatmaps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    r"""Whether each heatmap's largest value lies in its tile: 1 or 0; higher is better [Zhang2016].

    .. math:: \frac{|\mathrm{tile} \cap M|}{|M|}, \quad M = \{i : r_i = \max_j r_j\}

    Where several pixels have the largest value, it is the share of them in the tile: the mean over random choices.
    There is no tolerance around the tile.

    Args:
        heatmaps: (N, H, W), signed.
        inside: (N, H, W) or (H, W), true in the tile.

    Returns:
        (N,) from 0 to 1. The tile's mask gets 1, a constant map the tile's share of the pixels, which is chance.

    >>> upper = np.array([[True, True], [False, False]])
    >>> pointing_game(np.array([[[3.0, 0.0], [1.0, -9.0]], [[1.0, 1.0], [1.0, 1.0]]]), upper)
    array([1. , 0.5])
    """
    maps, tiles = _checked(heatmaps, inside)
    largest = maps == maps.max(axis=1, keepdims=True)
    hits: np.ndarray = (largest & tiles).sum(axis=1) / largest.sum(axis=1)
    return hits


def _checked(heatmaps: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as (N, pixels)."""
    if heatmaps.ndim != 3 or not heatmaps.size or not np.isfinite(heatmaps).all():
        raise InputError(f"heatmaps must be finite and have shape (N, H, W), got {heatmaps.shape}")
    if inside.dtype != bool or inside.shape not in (heatmaps.shape, heatmaps.shape[1:]):
        raise InputError(
            f"inside must be true or false for each pixel of heatmaps {heatmaps.shape}, got {inside.dtype} of shape "
            f"{inside.shape}"
        )
    maps = heatmaps.astype(np.float64).reshape(len(heatmaps), -1)
    return maps, np.broadcast_to(inside, heatmaps.shape).reshape(maps.shape)
