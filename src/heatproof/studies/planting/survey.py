"""All photographs of a study, each asked once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.data.pictures import none_usable
from heatproof.data.source import Source
from heatproof.randomness import identify
from heatproof.runs.planted_record import Patch, Place, Planted
from heatproof.studies.planting.source import AT_ONCE, Box


@dataclass(frozen=True)
class Survey:
    """Photographs that can be used, and what came of asking the network about each.

    Attributes:
        numbers: (N) places in the data set.
        names: (N) of them.
        identities: (N) hashes of their pixels.
        answers: (N, …) of the network.
        shape: (C, H, W) of one.
        skipped: names of those that cannot be used, each with the reason.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    identities: tuple[str, ...]
    answers: Tensor
    shape: tuple[int, int, int]
    skipped: tuple[tuple[str, str], ...]

    def place(self, number: int, *, picture: int, target: int, box: Box) -> Place:
        """A place of a picture for this photograph; whether the network sees it is not known yet."""
        return Place.model_validate(
            {
                "picture": picture,
                "number": self.numbers[number],
                "image": self.names[number],
                "target": target,
                "box": box,
                "probability": 0.0,
                "seen": True,
            }
        )

    def planted(self, places: Sequence[Place], size: tuple[int, int], patch: Patch | None = None) -> Planted:
        """What was planted into pictures of this size."""
        height, width = size
        return Planted.model_validate(
            {
                "channels": self.shape[0],
                "height": height,
                "width": width,
                "places": tuple(places),
                "photographs": self.names,
                "skipped": self.skipped,
                "patch": patch,
            }
        )


def surveyed(source: Source, ask: Callable[[Tensor, Sequence[str]], Tensor]) -> Survey:
    """Asks ``ask`` about images (B, C, H, W), with their identities, some at a time.

    Raises:
        InputError: if no photograph can be used.
    """
    numbers: list[int] = []
    names: list[str] = []
    identities: list[str] = []
    skipped: list[tuple[str, str]] = []
    answers = []
    for start in range(0, len(source.names), AT_ONCE):
        pictures = source.read(range(start, min(start + AT_ONCE, len(source.names))))
        numbers += pictures.numbers
        names += pictures.names
        skipped += pictures.skipped
        if len(pictures.images):
            here = identify(pictures.images)
            identities += here
            answers.append(ask(pictures.images, here))
            channels, height, width = pictures.images.shape[1:]
    if not answers:
        raise none_usable(skipped)
    return Survey(
        numbers=tuple(numbers),
        names=tuple(names),
        identities=tuple(identities),
        answers=torch.cat(answers),
        shape=(channels, height, width),
        skipped=tuple(skipped),
    )
