"""Regions that consist of the patches of a vision transformer."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.tokens import Grid
from heatproof.perturbation.regions import grid

ACROSS = 8  # regions along the shorter side, about, where none are asked for


def side_of_regions(patches: Grid, shape: tuple[int, ...]) -> int:
    """Side in pixels of squares of whole patches, about eight across the shorter side; few patches are left over."""
    if patches.height != patches.width:
        raise InputError(
            f"the network's patches are {patches.height} × {patches.width} pixels, no squares: give a map of regions, "
            "each of whole patches"
        )
    shorter = min(patches.rows, patches.columns)
    sides = [side * patches.height for side in range(1, shorter + 1)]
    fitting = [side for side in sides if fits(grid(shape[1], shape[2], side)[None], patches)]
    if not fitting:
        raise InputError(
            f"no centred grid is made of the network's patches of {patches.height} pixels in images of {shape[1]} × "
            f"{shape[2]}: give a map of regions, each of whole patches"
        )

    def unlike(side: int) -> tuple[int, int]:
        across = shorter * patches.height // side
        return abs(across - ACROSS), shorter * patches.height - across * side

    return min(fitting, key=unlike)


def fits(regions: Tensor, patches: Grid) -> bool:
    """Whether each region of maps (n, H, W) consists of whole patches."""
    try:
        regions_of_patches(regions, patches)
    except InputError:
        return False
    return True


def regions_of_patches(regions: Tensor, patches: Grid) -> Tensor:
    """(n, rows, columns) the region of each patch, −1 for those that stay, from maps of pixels (n, H, W).

    Raises:
        InputError: if a region cuts through a patch, or holds none.
    """
    height, width = patches.rows * patches.height, patches.columns * patches.width
    inside = regions[:, :height, :width]  # what lies beyond no patch shows
    found = inside[:, :: patches.height, :: patches.width]
    whole = found.repeat_interleave(patches.height, dim=1).repeat_interleave(patches.width, dim=2)
    if not torch.equal(whole, inside) or not torch.equal(found.amax(dim=(1, 2)), regions.amax(dim=(1, 2))):
        size = f"{patches.height} × {patches.width}"
        raise InputError(
            f"replacement 'drop' removes whole patches of the network, {size} pixels from the top left corner on, and "
            f"these regions cut through some: leave regions out (auto), or give regions={patches.height} for single "
            "patches, or a multiple of it whose grid begins and ends with a patch"
        )
    return found
