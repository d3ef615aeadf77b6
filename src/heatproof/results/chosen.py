"""The pictures that a page shows, with their heatmaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from heatproof.perturbation import Protocol
from heatproof.perturbation.regions import as_regions


@dataclass(frozen=True)
class Chosen:
    """Some of the images of a study.

    Attributes:
        numbers: (n) their places among the images of the study.
        images: (n, C, H, W) RGB in [0, 1].
        heatmaps: (n, H, W) by method, NaN where a method has not explained the image.
    """

    numbers: tuple[int, ...]
    images: Tensor
    heatmaps: Mapping[str, Tensor]

    @classmethod
    def of(cls, numbers: Sequence[int], images: Tensor, heatmaps: Mapping[str, Tensor]) -> "Chosen":
        """Of all images (N, C, H, W) of a study, and heatmaps of all or the first ones."""
        places = list(numbers)
        return cls(tuple(places), images[places].cpu(), {name: taken(maps, places) for name, maps in heatmaps.items()})

    def first(self, count: int) -> "Chosen":
        """The first of them."""
        maps = {name: found[:count] for name, found in self.heatmaps.items()}
        return Chosen(self.numbers[:count], self.images[:count], maps)

    @property
    def colours(self) -> np.ndarray:
        """(n, H, W, 3) in [0, 1]."""
        return as_colours(self.images)

    def regions(self, protocol: Protocol) -> Tensor:
        """(n, H, W) region indices."""
        given = protocol.regions
        own = given[list(self.numbers)] if isinstance(given, Tensor) and given.ndim == 3 else given
        return as_regions(own, self.images)


def as_colours(images: Tensor) -> np.ndarray:
    """(n, H, W, 3) of images (n, C, H, W): their colours, or the mean of their channels in grey."""
    seen = images.float() if images.shape[1] == 3 else images.float().mean(dim=1, keepdim=True)
    colours: np.ndarray = seen.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    return colours


def taken(maps: Tensor, places: Sequence[int]) -> Tensor:
    """(n, H, W) at these places; NaN beyond the last map."""
    beyond = torch.full((1, *maps.shape[1:]), torch.nan)
    rows = torch.tensor([min(place, len(maps)) for place in places], dtype=torch.long)
    return torch.cat([maps.detach().float().cpu(), beyond])[rows]
