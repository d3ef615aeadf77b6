"""A protocol whose regions and steps fit the patches of a network, where their tokens are left out."""

from dataclasses import replace

import torch
from torch import Tensor

from heatproof.defaults import ALL, AUTO
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation.patches import fits, regions_of_patches, side_of_regions
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import as_regions, count_regions, differ_in_number


def for_network(protocol: Protocol, network: Network, shape: tuple[int, ...]) -> Protocol:
    """The protocol with regions and steps that fit the patches of the network, if it drops their tokens.

    Where no regions are asked for they are squares of patches, about eight across. Where a network needs a token, and
    has no other than those of patches, the last region stays.

    Args:
        protocol: perhaps with the regions "auto".
        network: the classifier.
        shape: (C, H, W) of its images.

    Raises:
        InputError: if the network cannot leave out tokens, or regions cut through its patches.
    """
    if not protocol.drops:
        return protocol
    patches = network.tokens(shape).grid
    if isinstance(protocol.regions, str) and protocol.regions == AUTO:
        protocol = replace(protocol, regions=side_of_regions(patches, shape))
    if not isinstance(protocol.regions, Tensor) and differ_in_number(protocol.regions):
        return protocol  # superpixels are checked where they are removed
    given = protocol.regions
    maps = as_regions(given, torch.empty(len(given) if isinstance(given, Tensor) and given.ndim == 3 else 1, *shape))
    regions_of_patches(maps, patches)
    if protocol.steps not in (None, ALL) and protocol.share is None:
        return protocol
    steps, most = protocol.steps_for(maps), removable(protocol, maps, network, shape)
    return replace(protocol, steps=most) if steps > most else protocol


def can_drop(network: Network, shape: tuple[int, ...]) -> bool:
    """Whether the network can leave out tokens of images of ``shape`` (C, H, W)."""
    try:
        network.tokens(shape)
    except InputError:
        return False
    return True


def fit(protocol: Protocol, regions: Tensor, network: Network, shape: tuple[int, ...]) -> bool:
    """Whether maps of regions (n, H, W) consist of the network's patches, where their tokens are left out."""
    return not protocol.drops or fits(regions, network.tokens(shape).grid)


def removable(protocol: Protocol, regions: Tensor, network: Network, shape: tuple[int, ...]) -> int:
    """How many regions of maps (n, H, W) can be removed: all, or all but one where a network needs a patch."""
    number = count_regions(regions)
    if not protocol.drops:
        return number
    tokens = network.tokens(shape)
    covered = bool((regions_of_patches(regions, tokens.grid) >= 0).flatten(start_dim=1).all(dim=1).any())
    return number - (tokens.least if covered else 0)
