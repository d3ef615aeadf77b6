"""How much of the score LRP brings to the pixels, and where the rest is absorbed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from heatproof.network.backward import Relevance
from heatproof.wording import listed

LISTED = 0.005  # of the score: what absorbs less is not named
LEAK = 0.1  # a method that loses or gains more of the score than this is worth a warning


@dataclass(frozen=True)
class Conservation:
    """What became of the score f(x) of N images.

    Attributes:
        kept: (N,) relevance of all pixels over f(x); 1 where nothing was absorbed.
        peak: (N,) largest absolute relevance of one pixel over |f(x)|; far above 1 where denominators were near zero.
        places: the operations, from the score to the pixels.
        absorbed: (N, places) relevance that went in and did not come out, over f(x).
        keeps: what absorbs it at each place, such as biases; empty in runs that were stored without.
    """

    kept: np.ndarray
    peak: np.ndarray
    places: tuple[str, ...]
    absorbed: np.ndarray
    keeps: tuple[str, ...] = ()

    @classmethod
    def of(cls, relevance: Relevance, scores: Tensor) -> Self:
        """Conservation of one batch with scores f(x) (N,)."""
        heatmaps = relevance.heatmaps.flatten(start_dim=1)
        absorbed = torch.stack([(flow.arrived - flow.left) / scores for flow in relevance.flow], dim=1)
        return cls(
            kept=_array(heatmaps.sum(dim=1) / scores),
            peak=_array(heatmaps.abs().amax(dim=1) / scores.abs()),
            places=tuple(flow.place for flow in relevance.flow),
            absorbed=_array(absorbed),
            keeps=tuple(flow.keeps for flow in relevance.flow),
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Conservation of several batches through one network."""
        return cls(
            kept=np.concatenate([part.kept for part in parts]),
            peak=np.concatenate([part.peak for part in parts]),
            places=parts[0].places,
            absorbed=np.concatenate([part.absorbed for part in parts]),
            keeps=parts[0].keeps,
        )

    def of_images(self, some: slice) -> Self:
        """The conservation of some of the images."""
        return replace(self, kept=self.kept[some], peak=self.peak[some], absorbed=self.absorbed[some])

    def absorbed_by(self) -> dict[str, float]:
        """What absorbs relevance, such as biases, and which share of f(x), median over images; the most first."""
        found = {
            kept: float(np.median(self.absorbed[:, [one == kept for one in self.keeps]].sum(axis=1)))
            for kept in dict.fromkeys(self.keeps)
            if kept
        }
        return dict(sorted(found.items(), key=lambda item: -abs(item[1])))

    def summary(self) -> dict[str, object]:
        """Medians over images, the three operations that absorb most, and what it is that absorbs."""
        absorbed = np.median(self.absorbed, axis=0)
        most = np.argsort(-np.abs(absorbed))[:3]
        return {
            "kept_median": float(np.median(self.kept)),
            "peak_median": float(np.median(self.peak)),
            "absorbed_most": {self.places[index]: float(absorbed[index]) for index in most},
            "absorbed_by": self.absorbed_by(),
        }

    def warnings(self, method: str) -> list[str]:
        """Plain words where relevance leaks away or explodes."""
        kept, peak = float(np.median(self.kept)), float(np.median(self.peak))
        found = []
        if abs(kept - 1) > LEAK:
            absorbed = np.median(self.absorbed, axis=0)
            most = int(np.argmax(np.abs(absorbed)))
            found.append(
                f"{method}: the pixels get {round(kept, 2) + 0.0:.0%} of the score (median over images); "
                f"{self.places[most]} alone {self._verb(most)} {absorbed[most]:.0%}{self._in_all()}"
            )
        if peak > 1:
            found.append(
                f"{method}: a single pixel gets {peak:.1f} times the score (median over images): denominators come "
                "near zero; a larger epsilon would help"
            )
        return found

    def _verb(self, place: int) -> str:
        """A softmax that relevance goes through has nothing that absorbs it."""
        return "loses" if self.keeps and "softmax" in self.keeps[place] else "absorbs"

    def _in_all(self) -> str:
        """What absorbs, where that is not one thing alone."""
        parts = [f"{kept} {share:.0%}" for kept, share in self.absorbed_by().items() if abs(share) >= LISTED]
        return f" (in all: {listed(parts)})" if len(parts) > 1 else ""


def first_overflow(relevance: Relevance) -> str | None:
    """Where relevance first stopped being finite, on its way from the score."""
    return next((flow.place for flow in relevance.flow if not bool(torch.isfinite(flow.left).all())), None)


def _array(values: Tensor) -> np.ndarray:
    """An array of these values; NumPy has no bfloat16."""
    found: np.ndarray = (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()
    return found
