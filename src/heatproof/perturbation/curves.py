"""Curves: the target's score while regions are removed, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatproof.network.against import together
from heatproof.perturbation.engine import Engine, least_on_windows
from heatproof.perturbation.orders import stratum_ends
from heatproof.perturbation.protocol import Protocol
from heatproof.showing import facts_html

BY_IMAGE = ("scores", "orders", "removed_fraction", "scored", "targets", "against")  # one entry for each image


@dataclass(frozen=True)
class Curves:
    """Scores of N images while regions are removed in one order.

    Attributes:
        scores: (N, repeats, K + 1) the target's score after the scored steps; the first is that of the untouched image.
        orders: (N, 1 or repeats, L) index of the region that each step removes.
        removed_fraction: (N, 1 or repeats, L + 1) share of the image's pixels that is removed.
        scored: (N, repeats, K + 1) the steps after which the score was evaluated, ascending from 0; K = L if after all.
        targets: (N,) class indices.
        images: identities of the images.
        order: "morf", "lerf", "random", or "given".
        protocol: how regions were removed and scored.
        engine: which evaluated the perturbed images; where several did, the one with fewest nodes on windows.
        against: (N,) indices of the classes that the targets are asked against, if they are.
    """

    scores: Tensor
    orders: Tensor
    removed_fraction: Tensor
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
    def steps(self) -> int:
        """L, how many regions were removed."""
        return self.orders.shape[-1]

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
        share = float(self.removed_fraction[..., -1].mean())
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
        return replace(self, images=self.images[some], **{name: getattr(self, name)[some] for name in self._by_image})

    @property
    def _by_image(self) -> list[str]:
        return [name for name in BY_IMAGE if getattr(self, name) is not None]

    @classmethod
    def joined(cls, parts: "Sequence[Curves]") -> "Curves":
        """The curves of several batches as one; the engine is the one with fewest nodes on windows."""
        return replace(
            parts[0],
            images=tuple(image for part in parts for image in part.images),
            engine=least_on_windows([part.engine for part in parts]),
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in parts[0]._by_image},  # type: ignore[arg-type]
        )


def removed_fractions(orders: Tensor, regions: Tensor) -> Tensor:
    """(N, T, L + 1) share of all pixels that is removed after each step, for orders (N, T, L)."""
    flat = regions.flatten(start_dim=1)
    sizes = torch.zeros(len(flat), int(flat.max()) + 2, dtype=torch.float64)
    sizes.scatter_add_(1, flat + 1, torch.ones(flat.shape, dtype=torch.float64))  # column 0 counts region −1
    removed = (sizes / flat.shape[1])[:, None].expand(-1, orders.shape[1], -1).gather(2, orders + 1)
    return torch.nn.functional.pad(removed.cumsum(dim=2), (1, 0))
