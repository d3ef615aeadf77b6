"""The pictures that a page shows being destroyed, with what removed pixels become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation import Curves, Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.replacing import replacement_images
from heatproof.registry import is_whole, unknown
from heatproof.report.page import Shown, Walk

MOST = 100


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

    def walks(
        self,
        names: Sequence[str],
        label: Callable[[int], str],
        curves: Mapping[str, Curves],
        protocol: Protocol,
    ) -> list[Shown]:
        """How each method destroys each picture, in the first repeat.

        Args:
            names: of all images of the study.
            label: what the network sees in an image, by its number.
            curves: by method, of all images of the study or the first ones.
            protocol: fitted to all images, if its replacement wants that.
        """
        if not self.numbers:
            return []
        identities = max((one.images for one in curves.values()), key=len)
        regions = self.regions(protocol).numpy()
        replacements = self._replacements(protocol, [identities[number] for number in self.numbers])
        pixels = as_bytes(self.colours)
        return [
            Shown(
                name=Path(names[number]).name,
                label=label(number),
                image=pixels[place],
                walks=[self._walk(name, place, one) for name, one in curves.items() if number < len(one.images)],
                replacement=None if replacements is None else replacements[place],
                regions=regions[place],
            )
            for place, number in enumerate(self.numbers)
        ]

    def regions(self, protocol: Protocol) -> Tensor:
        """(n, H, W) region indices."""
        given = protocol.regions
        own = given[list(self.numbers)] if isinstance(given, Tensor) and given.ndim == 3 else given
        return as_regions(own, self.images)

    def _replacements(self, protocol: Protocol, identities: Sequence[str]) -> np.ndarray | None:
        """(n, H, W, 3) bytes that removed pixels become; none for imputations, which change with every step."""
        if protocol.imputes:
            return None
        made = replacement_images(self.images, replace(protocol, repeats=1), identities)[:, 0]
        return as_bytes(as_colours(made))

    def _walk(self, name: str, place: int, curves: Curves) -> Walk:
        number = self.numbers[place]
        return Walk(
            name=name,
            heatmap=self._heatmap(name, place),
            order=curves.orders[number, 0].cpu().numpy(),
            steps=curves.scored[number, 0].cpu().numpy(),
            scores=curves.scores[number, 0].double().cpu().numpy(),
        )

    def _heatmap(self, name: str, place: int) -> np.ndarray | None:
        if name not in self.heatmaps:
            return None
        found: np.ndarray = self.heatmaps[name][place].float().cpu().numpy()
        return None if np.isnan(found).all() else found


def chosen_numbers(show: int | str, names: Sequence[str]) -> tuple[int, ...]:
    """Places of the pictures to show: the first so many, or those of these names, separated by commas.

    Raises:
        InputError: for a number that is none, or a name that no image has.

    >>> chosen_numbers(1, ["a/cat.png", "a/dog.png"]), chosen_numbers("dog.png,a/cat.png", ["a/cat.png", "a/dog.png"])
    ((0,), (1, 0))
    """
    if isinstance(show, int) or is_whole(show):
        if not 0 <= int(show) <= MOST:
            raise InputError(f"show must be between 0 and {MOST} pictures, or their names, got {show}")
        return tuple(range(min(int(show), len(names))))
    places = {Path(name).name: number for number, name in reversed(list(enumerate(names)))}
    places |= {name: number for number, name in enumerate(names)}
    wanted = [name.strip() for name in show.split(",")]
    for name in wanted:
        if name not in places:
            raise InputError(unknown("picture to show", name, names[:MOST]))
    if len(wanted) > MOST:
        raise InputError(f"show must name at most {MOST} pictures, got {len(wanted)}")
    return tuple(dict.fromkeys(places[name] for name in wanted))


def as_colours(images: Tensor) -> np.ndarray:
    """(n, H, W, 3) of images (n, C, H, W): their colours, or the mean of their channels in grey."""
    seen = images.float() if images.shape[1] == 3 else images.float().mean(dim=1, keepdim=True)
    colours: np.ndarray = seen.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
    return colours


def as_bytes(colours: np.ndarray) -> np.ndarray:
    """(n, H, W, 3) bytes of colours in [0, 1]."""
    pixels: np.ndarray = np.rint(colours.clip(0, 1) * 255).astype(np.uint8)
    return pixels


def taken(maps: Tensor, places: Sequence[int]) -> Tensor:
    """(n, H, W) at these places; NaN beyond the last map."""
    beyond = torch.full((1, *maps.shape[1:]), torch.nan)
    rows = torch.tensor([min(place, len(maps)) for place in places], dtype=torch.long)
    return torch.cat([maps.detach().float().cpu(), beyond])[rows]
