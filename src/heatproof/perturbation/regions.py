"""Regions: which pixels are removed together, as a map of region indices; −1 marks pixels that are never removed."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from heatproof.bounds import REGION, Bounds
from heatproof.errors import InputError
from heatproof.registry import Registry, is_whole, parse_spec

GRIDS = ("grid", "relative-grid", "pixels")
REGIONS: Registry[Callable[..., Tensor]] = Registry("regions")  # (images, *, options…) -> (N, H, W)


def grid(height: int, width: int, size: int) -> Tensor:
    """(H, W) map of non-overlapping ``size`` × ``size`` regions, row by row, centred in the image.

    What does not fit is a border that is never removed.

    >>> grid(5, 4, 2)
    tensor([[ 0,  0,  1,  1],
            [ 0,  0,  1,  1],
            [ 2,  2,  3,  3],
            [ 2,  2,  3,  3],
            [-1, -1, -1, -1]])
    """
    if not 1 <= size <= min(height, width):
        raise InputError(f"regions must be between 1 and {min(height, width)} pixels wide here, got {size}")
    rows, columns = height // size, width // size
    top, left = (height - rows * size) // 2, (width - columns * size) // 2
    regions = torch.full((height, width), -1)
    indices = torch.arange(rows * columns).reshape(rows, columns)
    blocks = indices.repeat_interleave(size, dim=0).repeat_interleave(size, dim=1)
    regions[top : top + rows * size, left : left + columns * size] = blocks
    return regions


@REGIONS.register("grid")
def grid_regions(images: Tensor, *, size: Annotated[int, REGION] = 9) -> Tensor:
    """Squares of ``size`` pixels, centred; what does not fit is never removed [Samek2017]."""
    count, _, height, width = images.shape
    return grid(height, width, size).expand(count, height, width)


@REGIONS.register("relative-grid")
def relative_grid(images: Tensor, *, across: Annotated[int, Bounds(1, 1000)] = 8) -> Tensor:
    """Squares as large as fit ``across`` times along the shorter side, centred; what does not fit is never removed."""
    return grid_regions(images, size=relative_side(images.shape[2], images.shape[3], across))


@REGIONS.register("pixels")
def pixels(images: Tensor) -> Tensor:
    """Every pixel by itself."""
    return grid_regions(images, size=1)


@REGIONS.register("slic")
def slic(
    images: Tensor,
    *,
    segments: Annotated[int, Bounds(1, 100_000)] = 100,
    compactness: Annotated[float, Bounds(1e-3, 1e6)] = 10.0,
) -> Tensor:
    """About so many ``segments`` of similar colour; more ``compactness`` makes them squarer [Achanta2012]."""
    try:
        from skimage import segmentation
    except ImportError as error:
        raise InputError(
            "regions 'slic' need scikit-image, which is not installed: pip install \"heatproof[superpixels]\""
        ) from error
    maps = []
    for image in images.double().cpu().clamp(0, 1).permute(0, 2, 3, 1).numpy():  # (H, W, C)
        found = segmentation.slic(image, n_segments=segments, compactness=compactness, start_label=0, channel_axis=-1)
        maps.append(np.unique(found, return_inverse=True)[1].reshape(found.shape))  # without gaps
    return torch.from_numpy(np.stack(maps)).long()


def as_regions(given: int | str | Tensor, images: Tensor) -> Tensor:
    """(N, H, W) region indices for ``images`` (N, C, H, W), from a grid size, a name, or maps (H, W) or (N, H, W).

    Raises:
        InputError: for a name that is not known, a map that does not fit, or one whose indices are not 0 … R − 1
            without gaps in every image.
    """
    if isinstance(given, str):
        return as_regions(int(given) if is_whole(given) else REGIONS.resolve(given)(images), images)
    count, _, height, width = images.shape
    if isinstance(given, int) and not isinstance(given, bool):
        return grid(height, width, given).expand(count, height, width)
    if not isinstance(given, Tensor) or given.is_floating_point() or given.dtype == torch.bool:
        came = given.dtype if isinstance(given, Tensor) else type(given).__name__
        raise InputError(f"regions must be a size in pixels, a name, or an integer map of region indices, got {came}")
    if tuple(given.shape) not in ((height, width), (count, height, width)):
        raise InputError(
            f"regions must have shape (H, W) = {(height, width)} or (N, H, W) = {(count, height, width)} to match "
            f"images {tuple(images.shape)}, got {tuple(given.shape)}"
        )
    regions = given.cpu().long().expand(count, height, width)
    for one in regions if given.ndim == 3 else regions[:1]:
        if not _without_gaps(one):
            raise InputError("regions must be numbered 0 … R − 1 without gaps (−1: never removed)")
    return regions


def _without_gaps(indices: Tensor) -> bool:
    """Whether these are −1 and 0 … R − 1, each of them somewhere but perhaps −1."""
    if int(indices.min()) < -1 or int(indices.max()) >= indices.numel():
        return False
    return bool(np.bincount(indices.flatten().numpy() + 1)[1:].all())


def relative_side(height: int, width: int, across: int) -> int:
    """Side in pixels of squares that fit ``across`` times along the shorter side.

    >>> relative_side(227, 300, 8)
    28
    """
    return max(1, min(height, width) // across)


def grid_side(given: int | str | Tensor, height: int, width: int) -> int | None:
    """Side in pixels of the squares, where the regions are a grid.

    >>> grid_side("relative-grid[across=4]", 224, 224), grid_side(9, 224, 224), grid_side("slic", 224, 224)
    (56, 9, None)
    """
    if isinstance(given, Tensor):
        return None
    if is_whole(str(given)):
        return int(given)
    if parse_spec(str(given))[0] not in GRIDS:
        return None
    blank = torch.empty(1, 1, height, width)
    return int((REGIONS.resolve(str(given))(blank)[0] == 0).any(dim=0).sum())


def differ_in_number(given: int | str | Tensor) -> bool:
    """Whether one image may have more regions than another, as with superpixels."""
    return isinstance(given, str) and not is_whole(given) and parse_spec(given)[0] not in GRIDS


def count_regions(regions: Tensor) -> int:
    """How many regions every image of (N, H, W) has, at least."""
    return int(regions.flatten(start_dim=1).amax(dim=1).min()) + 1


def relevance_of_regions(heatmaps: Tensor, regions: Tensor) -> list[np.ndarray]:
    """The heatmap (N, H, W) summed over each region (R,), in float64, for each image."""
    return [
        np.bincount(indices[indices >= 0], weights=values[indices >= 0])
        for indices, values in zip(
            regions.flatten(start_dim=1).numpy(),
            heatmaps.detach().double().cpu().flatten(start_dim=1).numpy(),
            strict=True,
        )
    ]
