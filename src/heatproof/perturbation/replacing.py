"""What takes the place of removed pixels: replacement images, made once, or imputations, made at every step."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.replacements import REPLACEMENTS
from heatproof.perturbation.trajectories import Impute
from heatproof.randomness import addressed


def replacement_images(images: Tensor, protocol: Protocol, ids: Sequence[str]) -> Tensor:
    """(N, repeats, C, H, W) what removed pixels become, from the seed, the image and the repeat alone."""
    make, repeats = _maker(protocol), range(protocol.repeats)
    made = [make(images, generators=[_address(protocol, image, repeat) for image in ids]) for repeat in repeats]
    return torch.stack(made, dim=1)


def imputation(protocol: Protocol, ids: Sequence[str]) -> Impute:
    """A function that fills removed pixels; its draws come from the seed, the image and the repeat alone."""
    make = _maker(protocol)

    def impute(images: Tensor, removed: Tensor, owners: Tensor) -> Tensor:
        addresses = [divmod(owner, protocol.repeats) for owner in owners.tolist()]
        generators = [_address(protocol, ids[image], repeat) for image, repeat in addresses]
        filled = make(images, removed=removed, generators=generators)
        return torch.where(removed[:, None], filled, images)

    return impute


def with_removed(images: Tensor, removed: Tensor, protocol: Protocol, ids: Sequence[str]) -> Tensor:
    """Images (N, C, H, W) in which the removed pixels (N, H, W) are replaced, as in the first repeat."""
    if protocol.imputes:
        return imputation(protocol, ids)(images, removed, torch.arange(len(images)) * protocol.repeats)
    first = replacement_images(images, replace(protocol, repeats=1), ids)[:, 0]
    return torch.where(removed[:, None], first, images)


def _maker(protocol: Protocol) -> Callable[..., Tensor]:
    """The replacement with its options, and with the statistics that it asks for."""
    make = REPLACEMENTS.resolve(protocol.replacement)
    if not protocol.uses_statistics:
        return make
    assert protocol.statistics is not None, "a protocol is fitted to all images before some of them are perturbed"
    statistics = protocol.statistics
    return lambda images, **given: make(images, statistics=statistics, **given)


def _address(protocol: Protocol, image: str, repeat: int) -> np.random.Generator:
    return addressed(seed=protocol.seed, image=image, purpose=f"replacement {protocol.replacement}", repeat=repeat)
