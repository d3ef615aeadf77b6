"""Mosaics of photographs of different classes: which photographs lie in which tile, and the pictures."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from heatproof.errors import InputError
from heatproof.randomness import addressed
from heatproof.wording import counted


def drawn_mosaics(identities: Sequence[str], classes: Sequence[int], *, grid: int, seed: int) -> np.ndarray:
    """(M, T) numbers of the photographs in the T = grid² tiles of each mosaic, tiles row by row.

    The classes of a mosaic differ. Each photograph is in one mosaic at most. To make as many as there can be, each
    takes one photograph of the classes that have most left. Photographs and tiles are drawn at random, at addresses of
    the photographs, so that the order in which they are given changes nothing.

    Raises:
        InputError: if there are too few classes for one mosaic.

    >>> drawn_mosaics(["a", "b", "c", "d", "e"], [0, 1, 2, 3, 3], grid=2, seed=0).shape
    (1, 4)
    """
    tiles = grid**2
    draws = [addressed(seed=seed, image=identity, purpose="mosaics").random() for identity in identities]
    left: dict[int, list[int]] = {}
    for number in sorted(range(len(draws)), key=draws.__getitem__):
        left.setdefault(classes[number], []).append(number)
    mosaics = []
    while len(left) >= tiles:
        largest = sorted(left, key=lambda one: (-len(left[one]), draws[left[one][-1]]))[:tiles]
        group = sorted((left[one].pop() for one in largest), key=draws.__getitem__)
        address = " ".join(identities[number] for number in group)
        mosaics.append(addressed(seed=seed, image=address, purpose="tiles").permutation(group))
        left = {one: numbers for one, numbers in left.items() if numbers}
    if not mosaics:
        raise InputError(
            f"a mosaic of {grid} × {grid} needs photographs of {tiles} classes, got {counted(len(draws), 'photograph')}"
            f" of {len(left)}; give photographs of more classes" + (", or grid=2" if grid > 2 else "")
        )
    return np.stack(mosaics)


def tile_map(height: int, width: int, grid: int) -> np.ndarray:
    """(height, width) number of the tile at each pixel; sides differ by a pixel where they cannot be equal.

    >>> tile_map(2, 3, 2)
    array([[0, 1, 1],
           [2, 3, 3]])
    """
    rows, columns = (
        np.repeat(np.arange(grid), [part.stop - part.start for part in _parts(side, grid)]) for side in (height, width)
    )
    return rows[:, None] * grid + columns


def assembled(images: Tensor, photographs: np.ndarray, grid: int) -> Tensor:
    """(M, C, H, W) mosaics of the photographs (M, T) among images (N, C, H, W), each scaled down with antialiasing."""
    height, width = images.shape[2:]
    if grid > min(height, width):
        raise InputError(f"images must have at least {grid} pixels on each side, got {height} × {width}")
    mosaics = images.new_empty(len(photographs), *images.shape[1:])
    spots = [(rows, columns) for rows in _parts(height, grid) for columns in _parts(width, grid)]
    for tile, (rows, columns) in enumerate(spots):
        size = rows.stop - rows.start, columns.stop - columns.start
        chosen = images[torch.from_numpy(photographs[:, tile]).to(images.device)]
        smaller = interpolate(chosen, size, mode="bilinear", antialias=True, align_corners=False)
        mosaics[:, :, rows, columns] = smaller.clamp(0, 1)
    return mosaics


def _parts(side: int, grid: int) -> list[slice]:
    ends = [number * side // grid for number in range(grid + 1)]
    return [slice(first, last) for first, last in pairwise(ends)]
