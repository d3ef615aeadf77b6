"""Images whose heatmaps other images borrow: a control of whether a map is about its image."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatproof.heatmaps.explaining import Explained
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
    def of(
        cls, identities: Sequence[str], batches: Sequence[Explained], lent: Mapping[str, str], seed: int
    ) -> "Donors":
        """Images of these identities with their heatmaps; ``lent`` names each control's method."""
        return cls(
            identities=tuple(identities),
            targets=torch.cat([batch.targets.cpu() for batch in batches]),
            heatmaps={
                control: torch.cat([batch.heatmaps[method].cpu() for batch in batches])
                for control, method in lent.items()
            },
            seed=seed,
        )

    def among(self, controls: Container[str]) -> "Donors":
        """The donors for some of the controls only."""
        return replace(self, heatmaps={name: maps for name, maps in self.heatmaps.items() if name in controls})

    def lend(self, identities: Sequence[str], batch: Explained) -> Explained:
        """A batch of images of these identities, with the heatmaps of other images beside its own."""
        pairs = zip(identities, batch.targets.tolist(), strict=True)
        chosen = [self._donor(identity, target) for identity, target in pairs]
        lent = {name: maps[chosen].to(batch.targets.device) for name, maps in self.heatmaps.items()}
        return replace(batch, heatmaps=batch.heatmaps | lent)

    def _donor(self, identity: str, target: int) -> int:
        """A donor of another class; where there is none another image, and where there is none the image itself."""
        ordered = sorted(range(len(self.identities)), key=self.identities.__getitem__)  # however images were given
        drawn = addressed(seed=self.seed, image=identity, purpose="another image").permutation(ordered)
        others = [number for number in drawn.tolist() if self.identities[number] != identity]
        apart = [number for number in others if int(self.targets[number]) != target]
        return int((apart or others or [drawn[0]])[0])
