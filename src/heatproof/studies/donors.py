"""Images whose heatmaps other images borrow: a control of whether a map is about its image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.randomness import addressed

POOL = 32  # images, drawn at random


@dataclass(frozen=True)
class Donors:
    """Images whose heatmaps other images borrow.

    Attributes:
        identities: (K) of their pixels.
        targets: (K,) class indices.
        heatmaps: (K, H, W) by the name of the control.
        seed: of the draws.
    """

    identities: tuple[str, ...]
    targets: Tensor
    heatmaps: Mapping[str, Tensor]
    seed: int

    @classmethod
    def joined(cls, parts: "Sequence[Donors]") -> "Donors":
        """Several batches of donors as one."""
        first = parts[0]
        return cls(
            identities=tuple(identity for part in parts for identity in part.identities),
            targets=torch.cat([part.targets for part in parts]),
            heatmaps={name: torch.cat([part.heatmaps[name] for part in parts]) for name in first.heatmaps},
            seed=first.seed,
        )

    def lent(self, identities: Sequence[str], targets: Tensor) -> dict[str, Tensor]:
        """(n, H, W) by the name of the control, for images of these identities and targets (n,)."""
        chosen = [self._donor(identity, int(target)) for identity, target in zip(identities, targets, strict=True)]
        return {name: maps[chosen] for name, maps in self.heatmaps.items()}

    def _donor(self, identity: str, target: int) -> int:
        """A donor of another class; where there is none another image, and where there is none the image itself."""
        ordered = sorted(range(len(self.identities)), key=self.identities.__getitem__)  # however images were given
        drawn = addressed(seed=self.seed, image=identity, purpose="another image").permutation(ordered)
        others = [number for number in drawn.tolist() if self.identities[number] != identity]
        apart = [number for number in others if int(self.targets[number]) != target]
        return int((apart or others or [drawn[0]])[0])
