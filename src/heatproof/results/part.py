"""What some of the images of a comparison gave; the parts of all images together make the comparison."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.perturbation import Curves
from heatproof.perturbation.removal import BLOCK
from heatproof.results.measured import Measured, joined_measures

REFERENCE = "random order"
IN_SCOPE = "probability"  # the score that R-OMS follows
Key = tuple[str, str]  # a method, or the reference, and the name of an order


def key_of(name: str) -> Key:
    """Of the curves that a method, or the reference, is compared by."""
    return name, "random" if name == REFERENCE else "morf"


@dataclass(frozen=True)
class Part:
    """What some images gave.

    Attributes:
        names: (n) names of the images.
        classes: (n) names of the target classes, such as ``cat``, or ``cat against dog``.
        targets: (n,) class indices.
        curves: of all methods that ran, and of the random order if it did.
        lerf: by method, the least relevant regions removed first, if that was asked for.
        heatmaps: (n, H, W) by method.
        conservation: what became of the score, by LRP method.
        measured: every measure, (n,) by method and measure.
        others: curves in other scores than the protocol's, by score, and by method and order; some are only known of
            the random order.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    targets: Tensor
    curves: dict[str, Curves]
    lerf: dict[str, Curves]
    heatmaps: dict[str, Tensor]
    conservation: dict[str, Conservation]
    measured: Measured
    others: dict[str, dict[Key, Curves]] = field(default_factory=dict)

    def walks(self) -> dict[Key, Curves]:
        """Curves in the protocol's score, by method and order."""
        random = {(name, "random"): curves for name, curves in self.curves.items() if name == REFERENCE}
        morf = {(name, "morf"): curves for name, curves in self.curves.items() if name != REFERENCE}
        return morf | random | {(name, "lerf"): curves for name, curves in self.lerf.items()}

    @property
    def asked(self) -> Tensor:
        """(N,) the targets of the curves, or (N, 2) each with the class that it is asked against."""
        return max(self.curves.values(), key=lambda curves: len(curves.images)).asked

    @classmethod
    def joined(cls, parts: "Sequence[Part]", *, emptied: bool = False) -> "Part":
        """Several parts as one, in their order; a method that only ran on the first ones has fewer images.

        With ``emptied``, curves are taken out of the parts one method after the other, so that they are not held twice.
        """
        take = dict.pop if emptied else dict.__getitem__
        known: dict[tuple[int, ...], Any] = {}  # of parts that are all there: nothing new takes the identity of another

        def together(curves: list[Curves]) -> Curves:
            return Curves.joined(curves, known)

        def gathered(
            found: Sequence[dict[str, Any]],
            join: Callable[[list[Any]], Any],
            take: Callable[[dict[str, Any], str], Any] = dict.__getitem__,
        ) -> dict[str, Any]:
            return {name: join([take(one, name) for one in found if name in one]) for name in tuple(found[0])}

        return cls(
            names=tuple(name for part in parts for name in part.names),
            classes=tuple(name for part in parts for name in part.classes),
            targets=torch.cat([part.targets for part in parts]),
            curves=gathered([part.curves for part in parts], together, take),
            lerf=gathered([part.lerf for part in parts], together, take),
            heatmaps=gathered([part.heatmaps for part in parts], torch.cat),
            conservation=gathered([part.conservation for part in parts], Conservation.join),
            measured=joined_measures([part.measured for part in parts]),
            others={
                score: {key: together([part.others[score][key] for part in parts]) for key in walks}
                for score, walks in parts[0].others.items()
            },
        )

    def with_curves(self, change: Callable[[Key, Curves], Curves]) -> "Part":
        """The part with other curves, by method and order; in other scores, too."""
        morf = {name: change(key_of(name), one) for name, one in self.curves.items()}
        others = {score: {key: change(key, one) for key, one in walks.items()} for score, walks in self.others.items()}
        lerf = {name: change((name, "lerf"), one) for name, one in self.lerf.items()}
        return replace(self, curves=morf, lerf=lerf, others=others)

    def blocks(self) -> "Iterator[Part]":
        """All images, some at a time."""
        return (self.of(slice(start, start + BLOCK)) for start in range(0, len(self.names), BLOCK))

    def of(self, some: slice) -> "Part":
        """What some of the images gave; methods that have none of them are left out."""
        count = {name: len(curves.images) for name, curves in self.curves.items()}

        def cut(found: Mapping[str, Any], of: Callable[[Any], Any] = lambda values: values[some]) -> dict[str, Any]:
            return {name: of(values) for name, values in found.items() if count.get(name, len(self.names)) > some.start}

        return Part(
            names=self.names[some],
            classes=self.classes[some],
            targets=self.targets[some],
            curves=cut(self.curves, lambda curves: curves.of(some)),
            lerf=cut(self.lerf, lambda curves: curves.of(some)),
            heatmaps=cut(self.heatmaps),
            conservation=cut(self.conservation, lambda found: found.of_images(some)),
            measured=cut(self.measured, lambda found: {name: values[some] for name, values in found.items()}),
            others={score: {key: one.of(some) for key, one in walks.items()} for score, walks in self.others.items()},
        )
