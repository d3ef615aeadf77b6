"""Curves: the target's score while regions are removed, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from heatproof.network.against import together
from heatproof.perturbation.engine import Engine, least_on_windows
from heatproof.perturbation.orders import stratum_ends
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.removal import BLOCK, Removal
from heatproof.showing import facts_html

BY_IMAGE = ("scores", "scored", "targets", "against")  # one entry for each image


@dataclass(frozen=True)
class Curves:
    """Scores of N images while regions are removed in one order.

    Attributes:
        scores: (N, repeats, K + 1) the target's score after the scored steps; the first is that of the untouched image.
        removal: which regions are removed, in which order; ``orders`` and ``removed_fraction`` are in it.
        scored: (N, repeats, K + 1) the steps after which the score was evaluated, ascending from 0; K = L if after all.
        targets: (N,) class indices.
        images: identities of the images.
        order: "morf", "lerf", "random", or "given".
        protocol: how regions were removed and scored.
        engine: which evaluated the perturbed images; where several did, the one with fewest nodes on windows.
        against: (N,) indices of the classes that the targets are asked against, if they are.
    """

    scores: Tensor
    removal: Removal
    scored: Tensor
    targets: Tensor
    images: tuple[str, ...]
    order: str
    protocol: Protocol
    engine: Engine
    against: Tensor | None = None

    @property
    def asked(self) -> Tensor:
        """(N,) the targets, or (N, 2) each with the class that it is asked against."""
        return together(self.targets, self.against)

    @property
    def orders(self) -> Tensor:
        """(N, 1 or repeats, L) index of the region that each step removes."""
        return self.removal.orders

    @property
    def removed_fraction(self) -> Tensor:
        """(N, 1 or repeats, L + 1) share of the image's pixels that is removed."""
        return self.removal.removed_fraction

    @property
    def mean_removed(self) -> Tensor:
        """(L + 1,) share of the pixels that is removed after each step, mean over images and repeats."""
        total, count = self.removal.removed_sum
        return total / count

    @property
    def removed_in_the_end(self) -> Tensor:
        """(N, 1 or repeats) share of the pixels that is removed after all steps."""
        return torch.cat([block.removed_fraction[..., -1] for block in self.blocks()])

    @property
    def first_regions(self) -> Tensor:
        """(N,) the region that is removed first, in the first repeat."""
        return torch.cat([block.orders[:, 0, 0] for block in self.blocks()])

    @property
    def steps(self) -> int:
        """L, how many regions were removed."""
        return self.removal.steps

    @property
    def ends(self) -> Tensor:
        """(K + 1,) the last step that each score stands for; where all steps were scored, they are 0 … L."""
        return stratum_ends(self.steps, self.scores.shape[-1] - 1)

    @property
    def weights(self) -> Tensor:
        """(K + 1,) how many steps each score stands for; they add up to L + 1. Where all were scored, they are 1."""
        return self.ends.diff(prepend=torch.tensor([-1]))

    @property
    def middles(self) -> Tensor:
        """(K + 1,) the mean of the steps that each score stands for, in float64."""
        return self.ends - (self.weights - 1) / torch.tensor(2.0, dtype=torch.float64)

    def _repr_html_(self) -> str:
        images, repeats, scores = self.scores.shape
        means = self.scores.double().mean(dim=(0, 1))
        share = float(self.mean_removed[-1])
        return facts_html(
            f"Curves: {self.order}",
            {
                "images": images,
                "steps": f"{self.steps}, {scores - 1} of them scored; {share:.1%} of the image removed",
                "repeats": repeats,
                "score": f"{self.protocol.unit}: mean {means[0]:.4g} untouched, {means[-1]:.4g} at the last step",
                "replacement": self.protocol.replacement,
                "engine": self.engine,
            },
        )

    def first(self, count: int) -> "Curves":
        """The curves of the first images."""
        return self.of(slice(count))

    def of(self, some: slice) -> "Curves":
        """The curves of some of the images."""
        cut = {name: getattr(self, name)[some] for name in self._by_image}
        return replace(self, images=self.images[some], removal=self.removal.of(some), **cut)

    def blocks(self) -> Iterator["Curves"]:
        """All images, some at a time."""
        return (self.of(slice(start, start + BLOCK)) for start in range(0, len(self.images), BLOCK))

    @property
    def _by_image(self) -> list[str]:
        return [name for name in BY_IMAGE if getattr(self, name) is not None]

    @classmethod
    def joined(cls, parts: "Sequence[Curves]", known: dict[tuple[int, ...], Any] | None = None) -> "Curves":
        """The curves of several batches as one; the engine is the one with fewest nodes on windows.

        What these parts share with those that were joined before them (``known``, by the identities of what was joined)
        the results share too: scored steps, targets and identities are the same for all methods of an image.
        """
        made = {} if known is None else known

        def once(found: list[Any], join: Callable[[list[Any]], Any]) -> Any:  # noqa: ANN401 - tensors, or tuples
            key = tuple(map(id, found))
            if key not in made:
                made[key] = join(found)
            return made[key]

        return replace(
            parts[0],
            images=once([part.images for part in parts], lambda found: tuple(chain.from_iterable(found))),
            engine=least_on_windows([part.engine for part in parts]),
            removal=parts[0].removal.joined([part.removal for part in parts[1:]]),
            **{name: once([getattr(part, name) for part in parts], torch.cat) for name in parts[0]._by_image},
        )


def removed_fractions(orders: Tensor, regions: Tensor) -> Tensor:
    """(N, T, L + 1) share of all pixels that is removed after each step, for orders (N, T, L)."""
    flat = regions.flatten(start_dim=1)
    sizes = torch.zeros(len(flat), int(flat.max()) + 2, dtype=torch.float64)
    sizes.scatter_add_(1, flat + 1, torch.ones(flat.shape, dtype=torch.float64))  # column 0 counts region −1
    removed = (sizes / flat.shape[1])[:, None].expand(-1, orders.shape[1], -1).gather(2, orders + 1)
    return torch.nn.functional.pad(removed.cumsum(dim=2), (1, 0))
