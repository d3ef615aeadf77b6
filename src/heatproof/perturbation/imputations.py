"""Imputations: replacements that fill removed pixels from what is left, anew at every step."""

from types import ModuleType
from typing import Annotated

import numpy as np
import scipy
import torch
from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.perturbation.replacements import REPLACEMENTS, Generators, colour_of

DIRECT, DIAGONAL = 1 / 6, 1 / 12
WEIGHTS = {
    (down, right): DIAGONAL if down and right else DIRECT
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
    if down or right
}
OUTSIDE, KEPT = -2, -1


@REPLACEMENTS.register("road")
def road(
    images: Tensor,
    *,
    removed: Tensor,
    generators: Generators,
    noise: Annotated[float, Bounds(0.0, 10.0)] = 0.01,
) -> Tensor:
    """Each removed pixel is the weighted mean of its neighbours, plus N(0, noise²): ROAD's imputation [Rong2022].

    The four direct neighbours weigh 1/6 each, the diagonal ones 1/12; at the border the weights of those that exist are
    normalised. All removed pixels of an image make one sparse linear system, which its channels share. What the noise
    adds is cut off at 0 and 1, where images end (the published code lets it pass). Where nothing is left any constant
    solves the system; the image's mean colour is taken.
    """
    filled = [
        _filled(image, gone, noise * generator.standard_normal(image.shape))
        for image, gone, generator in zip(images, removed, generators, strict=True)
    ]
    return torch.stack(filled)


def _filled(image: Tensor, removed: Tensor, noise: np.ndarray) -> Tensor:
    """(C, H, W) with the removed pixels (H, W) filled; noise (C, H, W)."""
    where = removed.cpu().numpy()
    values = image.double().cpu().numpy().copy()
    if where.all():
        values[:] = colour_of(image).double().cpu().numpy()
    elif where.any():
        matrix, known = system(values, where)
        # the matrix is symmetric and diagonally dominant, so no pivots are needed
        solver = scipy.sparse.linalg.splu(
            matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}
        )
        values[:, where] = solver.solve(known).T
    values[:, where] = (values[:, where] + noise[:, where]).clip(0, 1)
    return torch.from_numpy(values).to(image)


def system(values: np.ndarray, removed: np.ndarray) -> "tuple[scipy.sparse.csc_matrix, np.ndarray]":
    """Matrix (R, R) and right-hand sides (R, C) whose solution is what R removed pixels (H, W) become.

    Row p says: (sum of the weights of p's neighbours) · p − Σ weight · removed neighbour = Σ weight · kept neighbour.
    """
    rows, columns = removed.nonzero()
    count = len(rows)
    number = np.full((removed.shape[0] + 2, removed.shape[1] + 2), OUTSIDE)
    number[1:-1, 1:-1] = KEPT
    number[rows + 1, columns + 1] = np.arange(count)
    around = np.pad(values, ((0, 0), (1, 1), (1, 1)))  # (C, H + 2, W + 2)

    each, diagonal, known = np.arange(count), np.zeros(count), np.zeros((count, len(values)))
    entries = []
    for (down, right), weight in WEIGHTS.items():
        neighbour = number[rows + 1 + down, columns + 1 + right]
        diagonal += weight * (neighbour != OUTSIDE)
        kept, gone = neighbour == KEPT, neighbour >= 0
        known[kept] += weight * around[:, rows[kept] + 1 + down, columns[kept] + 1 + right].T
        entries.append((np.full(gone.sum(), -weight), each[gone], neighbour[gone]))
    entries.append((diagonal, each, each))
    data, row, column = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return scipy.sparse.csc_matrix((data, (row, column)), shape=(count, count)), known


@REPLACEMENTS.register("inpaint")
def inpaint(
    images: Tensor,
    *,
    removed: Tensor,
    generators: Generators,
    radius: Annotated[int, Bounds(1, 100)] = 3,
) -> Tensor:
    """What is removed is painted over from its border inwards, by OpenCV [Telea2004].

    In steps of 1/255. An image of which nothing is left becomes its mean colour.
    """
    cv2 = _opencv()
    return torch.stack([_painted(cv2, image, gone, radius) for image, gone in zip(images, removed, strict=True)])


def _painted(cv2: ModuleType, image: Tensor, removed: Tensor, radius: int) -> Tensor:
    """(C, H, W) with the removed pixels (H, W) painted over."""
    if bool(removed.all()):  # OpenCV would leave the image as it is
        return colour_of(image).expand_as(image)
    left = image[:, ~removed].double().mean(dim=1)[:, None, None]
    known = torch.where(removed, left, image.double())  # OpenCV also looks at pixels that it is to paint over
    where = removed.cpu().numpy().astype(np.uint8)
    channels = (known * 255).round().clamp(0, 255).byte().cpu().numpy()
    painted = np.stack([cv2.inpaint(channel, where, radius, cv2.INPAINT_TELEA) for channel in channels])
    return torch.where(removed, torch.from_numpy(painted).to(image) / 255, image)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "replacement 'inpaint' needs OpenCV, which is not installed: pip install \"heatproof[inpaint]\""
        ) from error
    return cv2
