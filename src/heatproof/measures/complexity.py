"""How complex a heatmap is: file sizes and entropy of its picture, and how unequally relevance is spread [Samek2017].

The paper gives the formats (PNG; JPEG of quality 90) and MATLAB's ``entropy``; it prints neither colour map, scale nor
size of its pictures. Its PNG files (154 to 183 KB) are no smaller than 227 × 227 pixels without any compression (155
KB), so its pictures must have been larger: sizes compare methods, not papers.
"""

import io
from typing import Any

import numpy as np
from PIL import Image, features

from heatproof.errors import InputError

Settings = dict[str, Any]  # of an encoder

KB = 1000  # bytes
LIBRARIES = ("pil", "zlib", "zlib_ng", "jpg", "libjpeg_turbo")

# Spelt out, though they are Pillow's defaults: a size means something only with its encoder.
PNG: Settings = {"format": "PNG", "compress_level": 6, "optimize": False}
JPEG: Settings = {
    "format": "JPEG",
    "quality": 90,
    "subsampling": "4:2:0",
    "optimize": False,
    "progressive": False,
}


def png_size(pictures: np.ndarray) -> np.ndarray:
    """File size of each picture as PNG, in KB (1000 bytes); lower is simpler [Samek2017].

    Args:
        pictures: (N, H, W, 3) or grey (N, H, W), uint8.

    Returns:
        (N,) sizes.

    >>> white, noisy = np.full((1, 64, 64), 255, np.uint8), np.random.default_rng(0).bytes(4096)
    >>> bool(png_size(white) < png_size(np.frombuffer(noisy, np.uint8).reshape(1, 64, 64)))
    True
    """
    return _sizes(pictures, PNG)


def jpeg_size(pictures: np.ndarray) -> np.ndarray:
    """File size (N,) of each picture as JPEG of quality 90, in KB, as :func:`png_size`; lower is simpler [Samek2017].

    >>> jpeg_size(np.zeros((2, 64, 64), np.uint8)).shape
    (2,)
    """
    return _sizes(pictures, JPEG)


def entropy(pictures: np.ndarray) -> np.ndarray:
    r"""Shannon entropy of the grey levels of each picture, in bits; lower is simpler [Samek2017].

    As MATLAB's ``entropy`` of an 8-bit grey picture:

    .. math:: -\sum_{v=0}^{255} p_v \log_2 p_v

    where p_v is the share of pixels with level v. Colours become grey as by MATLAB's ``rgb2gray`` (ITU-R 601 luma).

    Args:
        pictures: (N, H, W, 3) or grey (N, H, W), uint8.

    Returns:
        (N,) from 0 (one level) to 8 (all levels equally often).

    >>> entropy(np.array([[[0, 0], [255, 255]], [[7, 7], [7, 7]]], dtype=np.uint8))
    array([1., 0.])
    """
    _check(pictures)
    values = []
    for picture in pictures:
        counts = np.bincount(np.asarray(Image.fromarray(picture).convert("L")).ravel(), minlength=256)
        shares = counts[counts > 0] / counts.sum()
        values.append(abs(float(np.sum(shares * np.log2(shares)))))
    return np.array(values)


def gini(heatmaps: np.ndarray) -> np.ndarray:
    r"""Gini coefficient of the absolute relevance of each heatmap; higher is simpler (sparser) [Hurley2009].

    .. math:: \frac{\sum_{i=1}^{n} (2i - n - 1)\, a_i}{n \sum_{i=1}^{n} a_i}

    where a_1 ≤ … ≤ a_n are the sizes of the n pixels' relevance.

    Args:
        heatmaps: (N, H, W), signed.

    Returns:
        (N,) from 0 (all equal; also for a map of zeros) to 1 − 1/n (a single pixel).

    >>> gini(np.array([[[0.0, 0.0], [0.0, -3.0]], [[1.0, -1.0], [1.0, 1.0]]]))
    array([0.75, 0.  ])
    """
    if heatmaps.ndim != 3 or not heatmaps.size or not np.isfinite(heatmaps).all():
        raise InputError(f"heatmaps must be finite and have shape (N, H, W), got {heatmaps.shape}")
    sizes = np.sort(np.abs(heatmaps.astype(np.float64)).reshape(len(heatmaps), -1))  # (N, n)
    n, total = sizes.shape[1], sizes.sum(axis=1)
    weighted = sizes @ (2 * np.arange(1, n + 1) - n - 1)
    coefficients: np.ndarray = np.divide(weighted, n * total, out=np.zeros(len(sizes)), where=total > 0)
    return coefficients


def encoders() -> dict[str, Any]:
    """What makes the files: settings, and versions of the libraries, on which sizes depend a little."""
    versions = {name: features.version(name) for name in LIBRARIES if features.check(name)}
    return {"png": PNG, "jpeg": JPEG, "versions": versions}


def _sizes(pictures: np.ndarray, settings: Settings) -> np.ndarray:
    _check(pictures)
    sizes = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, **settings)
        sizes.append(file.tell() / KB)
    return np.array(sizes)


def _check(pictures: np.ndarray) -> None:
    if pictures.dtype != np.uint8 or not (pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[-1] == 3)):
        raise InputError(
            f"pictures must be uint8 of shape (N, H, W, 3) or (N, H, W), got {pictures.dtype} of shape {pictures.shape}"
        )
