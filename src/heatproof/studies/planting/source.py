"""Pictures in which something is planted, as a source of images: each is made of photographs when it is wanted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from heatproof.data.pictures import Pictures
from heatproof.data.source import Source
from heatproof.randomness import addressed
from heatproof.runs.planted_record import Place, Planted

AT_ONCE = 32  # pictures that are made, or photographs that are read, at a time
CELLS = 8  # of a patch's texture, on each side

Box = tuple[int, int, int, int]  # first row and column, and the ends of both


@dataclass(frozen=True, eq=False)
class PlantedSource:
    """Pictures that hold something planted, one for each place whose class the network sees.

    Args:
        photographs: that the pictures are made of.
        planted: what lies where.
    """

    photographs: Source
    planted: Planted

    @property
    def name(self) -> str:
        """That of the photographs."""
        return self.photographs.name

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(N) names of the photographs that heatmaps are to find."""
        return tuple(place.image for place in self.planted.explained)

    @property
    def fingerprint(self) -> str:
        """That of the photographs."""
        return self.photographs.fingerprint

    def read(self, numbers: Sequence[int]) -> Pictures:
        """The pictures of these places."""
        places = [self.planted.explained[number] for number in numbers]
        found, reasons = drawn_pictures(self.planted, self.photographs, [place.picture for place in places])
        kept = [(number, place) for number, place in zip(numbers, places, strict=True) if place.picture in found]
        images = (
            torch.stack([found[place.picture] for _, place in kept])
            if kept
            else torch.empty(0, self.planted.channels, 0, 0)
        )
        return Pictures(
            images,
            tuple(place.image for _, place in kept),
            tuple((place.image, reasons[place.picture]) for place in places if place.picture in reasons),
            numbers=tuple(number for number, _ in kept),
        )


def drawn_pictures(
    planted: Planted, photographs: Source, pictures: Sequence[int]
) -> tuple[dict[int, Tensor], dict[int, str]]:
    """(C, H, W) of each of these pictures that can be made, and why the others cannot."""
    wanted = set(pictures)
    parts: dict[int, list[Place]] = {}
    for place in planted.places:
        if place.picture in wanted:
            parts.setdefault(place.picture, []).append(place)
    read = photographs.read(sorted({place.number for places in parts.values() for place in places}))
    images, broken = dict(zip(read.numbers, read.images, strict=True)), dict(read.skipped)
    found: dict[int, Tensor] = {}
    reasons: dict[int, str] = {}
    for picture, places in parts.items():
        missing = [place.image for place in places if place.number not in images]
        if missing:
            reasons[picture] = f"{missing[0]}: {broken[missing[0]]}"
        elif planted.patch:
            found[picture] = pasted(images[places[0].number], places[0].box, planted.patch.seed)
        else:
            tiles = {place.box: images[place.number] for place in places}
            found[picture] = assembled(tiles, (planted.height, planted.width))
    return found, reasons


def assembled(tiles: Mapping[Box, Tensor], size: tuple[int, int]) -> Tensor:
    """(C, *size) mosaic of photographs (C, H, W), each scaled into its box with antialiasing."""
    first = next(iter(tiles.values()))
    mosaic = first.new_zeros(first.shape[0], *size)
    for (top, left, bottom, right), photograph in tiles.items():
        tile = (bottom - top, right - left)
        if tile != tuple(photograph.shape[1:]):
            photograph = interpolate(photograph[None], tile, mode="bilinear", antialias=True, align_corners=False)[0]
        mosaic[:, top:bottom, left:right] = photograph.clamp(0, 1)
    return mosaic


def pasted(image: Tensor, box: Box, seed: int) -> Tensor:
    """(C, H, W) the image with the patch in a box."""
    top, left, bottom, right = box
    found = image.clone()
    found[:, top:bottom, left:right] = texture(image.shape[0], bottom - top, right - left, seed).to(image)
    return found


def texture(channels: int, height: int, width: int, seed: int) -> Tensor:
    """(channels, height, width) the patch: squares of random bright colours, the same for every image.

    In each square one channel is dark and the others are bright. The mean over channels is the same everywhere, so that
    the patch has no edges in grey, which would tell the Sobel baseline where it lies. An image of one channel gets
    black and white squares.

    >>> texture(3, 40, 40, seed=0).mean(dim=0).unique()
    tensor([0.6667])
    """
    draws = addressed(seed=seed, image="", purpose="patch").random((channels, CELLS, CELLS))
    dark = draws < 0.5 if channels == 1 else draws == draws.min(axis=0)
    colours = torch.from_numpy(1 - dark.astype(np.float32))
    return interpolate(colours[None], (height, width), mode="nearest")[0]


def inside(planted: Planted, places: Iterable[Place]) -> Tensor:
    """(N, H, W), true in the box of each place."""
    boxes = [place.box for place in places]
    found = torch.zeros(len(boxes), planted.height, planted.width, dtype=torch.bool)
    for number, (top, left, bottom, right) in enumerate(boxes):
        found[number, top:bottom, left:right] = True
    return found
