"""How much heatmaps change when the image or the network does."""

import numpy as np

from heatproof.errors import InputError
from heatproof.measures.agreement import spearman


def relative_change(heatmaps: np.ndarray, others: np.ndarray) -> np.ndarray:
    r"""Relative change of each heatmap, once both are scaled to Σ|h| = 1; lower is more stable [Agarwal2022].

    .. math:: \frac{\lVert \hat h' - \hat h \rVert_1}{\lVert \hat h \rVert_1},
        \quad \hat h = \frac{h}{\lVert h \rVert_1}

    Both are scaled, because many methods scale with the score, which says nothing about where relevance lies.

    Args:
        heatmaps: (N, H, W), signed.
        others: (N, H, W), of what was changed.

    Returns:
        (N,) without unit, from 0 (the same but for a positive factor) to 2 (no pixel has relevance of the same sign in
        both); 1 where the other map is all zero. NaN where the heatmap itself is.

    >>> heatmaps = np.array([[[3.0, 0.0]], [[1.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    >>> relative_change(heatmaps, np.array([[[6.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]]))
    array([ 0.,  1.,  2., nan])
    """
    first, second = (_scaled(part) for part in _checked(heatmaps, others))
    changes: np.ndarray = np.abs(second - first).sum(axis=1)
    return np.where(first.any(axis=1), changes, np.nan)


def rank_agreement(heatmaps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's correlation of the pixels of each heatmap with those of the same other [Spearman1904].

    Args:
        heatmaps: (N, H, W), signed.
        others: (N, H, W), of what was changed.

    Returns:
        (N,) without unit, from −1 to 1 (the same order of all pixels). Constant maps have no order of pixels: two of
        them agree (1), and one with a map that has one does not (0).

    >>> heatmaps = np.array([[[1.0, 2.0, 3.0]], [[5.0, 5.0, 5.0]], [[5.0, 5.0, 5.0]]])
    >>> rank_agreement(heatmaps, np.array([[[1.0, 2.0, 9.0]], [[2.0, 2.0, 2.0]], [[1.0, 2.0, 3.0]]]))
    array([1., 1., 0.])
    """
    first, second = _checked(heatmaps, others)
    flat = [np.ptp(part, axis=1) == 0 for part in (first, second)]
    found = spearman(first, second)
    return np.where(flat[0] | flat[1], (flat[0] & flat[1]).astype(np.float64), found)


def _checked(heatmaps: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as (N, pixels)."""
    if heatmaps.ndim != 3 or heatmaps.shape != others.shape or not heatmaps.size:
        raise InputError(f"heatmaps must be (N, H, W), twice of one shape, got {heatmaps.shape} and {others.shape}")
    first, second = (np.array(part, np.float64, order="C").reshape(len(part), -1) for part in (heatmaps, others))
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("heatmaps must be finite numbers, got NaN or infinity")
    return first, second


def _scaled(maps: np.ndarray) -> np.ndarray:
    """(N, pixels) with Σ|h| = 1; zeros stay."""
    most = np.abs(maps).max(axis=1, keepdims=True)
    shares = np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)  # so that no sum overflows
    total = np.maximum(np.abs(shares).sum(axis=1, keepdims=True), 1)
    scaled: np.ndarray = shares / total
    return scaled
