r"""What the heatmaps' quality says about a network: AOPC above the random order, and variants that scale cannot raise.

Logits grow while a network is trained, and raw AOPC grows with them though nothing else may have changed. So it stands
beside quantities that do not change when all logits are multiplied by a number. Those over probabilities do change,
but cannot exceed 1. Of all of them, higher is better. All are of the predicted class, with means over images ⟨⟩:

- AOPC: :math:`\frac{1}{L+1} \langle \sum_{k=0}^{L} f(x^{(0)}) - f(x^{(k)}_{\mathrm{MoRF}}) \rangle` of the logit, as in
  the paper; unit: logits; grows with them [Samek2017].
- above random: :math:`\mathrm{AOPC}_{\mathrm{MoRF}} - \mathrm{AOPC}_{\mathrm{random}}`; unit: logits; grows with them.
- relative drop: above random as a share of the untouched score, :math:`\langle f(x^{(0)}) \rangle`; no unit. The means
  are divided, since single images may have scores near zero. Defined where the mean score is above zero; it does change
  when a constant is added to all logits.
- standardised: above random of the class-standardised logit; unit: standard deviations over the classes. Neither
  scaling nor shifting all logits changes it.
- probability: above random of the probability; within −1 … 1; grows with confidence.
- mean logit, mean confidence: logit and probability of the untouched images, which need no heatmap.

With *alone*, the random order is not subtracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heatproof.measures.aopc import aopc
from heatproof.measures.series import Series
from heatproof.perturbation.curves import Curves

SCORES = ("logit", "standardised_logit", "probability")  # what the quantities are computed from


@dataclass(frozen=True)
class Perturbed:
    """Curves of one network on N images, most relevant first and in random order, each by the name of the score."""

    morf: Mapping[str, Curves]
    random: Mapping[str, Curves]

    def above(self, score: str) -> np.ndarray:
        """(N,) AOPC minus that of the random order, in units of the score."""
        found: np.ndarray = self.alone(score) - aopc(self.random[score]).double().numpy()
        return found

    def alone(self, score: str) -> np.ndarray:
        """(N,) AOPC, nothing subtracted, in units of the score."""
        found: np.ndarray = aopc(self.morf[score]).double().numpy()
        return found

    def untouched(self, score: str) -> np.ndarray:
        """(N,) the score of the untouched images."""
        found: np.ndarray = self.morf[score].scores[:, 0, 0].double().numpy()
        return found


@dataclass(frozen=True)
class Quantity:
    """A quantity of one network: the mean over images of ``part``, a method of ``Perturbed``, of a score.

    With ``relative``, that mean divided by the mean score of the untouched images.
    """

    part: Literal["above", "alone", "untouched"]
    score: str
    relative: bool = False


QUALITIES = {
    "AOPC": Quantity("alone", "logit"),
    "above random": Quantity("above", "logit"),
    "relative drop": Quantity("above", "logit", relative=True),
    "standardised": Quantity("above", "standardised_logit"),
    "probability": Quantity("above", "probability"),
}
ALONE = {  # these also count what any removal takes, whatever the heatmap
    "relative drop alone": Quantity("alone", "logit", relative=True),
    "standardised alone": Quantity("alone", "standardised_logit"),
    "probability alone": Quantity("alone", "probability"),
}
CONTROLS = {  # these need no heatmap
    "mean logit": Quantity("untouched", "logit"),
    "mean confidence": Quantity("untouched", "probability"),
}


def series_of(quantity: Quantity, networks: Sequence[Perturbed]) -> Series:
    """A quantity of several networks on the same images."""
    numerators = np.stack([getattr(network, quantity.part)(quantity.score) for network in networks])
    if not quantity.relative:
        return Series(numerators)
    return Series(numerators, np.stack([network.untouched(quantity.score) for network in networks]))
