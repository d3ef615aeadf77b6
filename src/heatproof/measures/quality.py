"""What the heatmaps' quality says about a network: AOPC above the random order, and variants that scale cannot raise.

Logits grow while a network is trained, and raw AOPC grows with them though nothing else may have changed. So it stands
beside quantities that do not change when all logits are multiplied by a number. Those over probabilities do change,
but cannot exceed 1. Of all of them, higher is better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
        found: np.ndarray = _numbers(self.morf[score]) - _numbers(self.random[score])
        return found

    def alone(self, score: str) -> np.ndarray:
        """(N,) AOPC, nothing subtracted, in units of the score."""
        return _numbers(self.morf[score])

    def untouched(self, score: str) -> np.ndarray:
        """(N,) the score of the untouched images."""
        found: np.ndarray = self.morf[score].scores[:, 0, 0].double().numpy()
        return found


def raw(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    r"""AOPC of the predicted class's logit, as in the paper; unit: logits; grows with them [Samek2017].

    .. math:: \frac{1}{L+1} \Bigl\langle \sum_{k=0}^{L} f(x^{(0)}) - f(x^{(k)}_{\mathrm{MoRF}}) \Bigr\rangle
    """
    return perturbed.alone("logit"), None


def above_random(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    r"""AOPC above the random order; unit: logits; grows with them [Samek2017].

    .. math:: \mathrm{AOPC}_{\mathrm{MoRF}} - \mathrm{AOPC}_{\mathrm{random}}
    """
    return perturbed.above("logit"), None


def relative_drop(perturbed: Perturbed) -> tuple[np.ndarray, np.ndarray]:
    r"""AOPC above the random order, as a share of the untouched score; no unit, no change with the logits' scale.

    .. math:: \frac{\langle \mathrm{AOPC}_{\mathrm{MoRF}} - \mathrm{AOPC}_{\mathrm{random}} \rangle}
        {\langle f(x^{(0)}) \rangle}

    The means over images are divided, since single images may have scores near zero. Defined where the mean score is
    above zero; it does change when a constant is added to all logits.
    """
    return perturbed.above("logit"), perturbed.untouched("logit")


def standardised(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    r"""AOPC above the random order of the class-standardised logit; unit: standard deviations over the classes.

    .. math:: f(x) = \frac{z_t - \bar z}{\sqrt{\frac{1}{K} \sum_{j=1}^{K} (z_j - \bar z)^2}}

    with the logits z of one image, perturbed or not, for K classes, and their mean over classes. Neither scaling nor
    shifting all logits changes it.
    """
    return perturbed.above("standardised_logit"), None


def probability(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    """AOPC above the random order of the predicted class's probability; within −1 … 1; grows with confidence."""
    return perturbed.above("probability"), None


def relative_drop_alone(perturbed: Perturbed) -> tuple[np.ndarray, np.ndarray]:
    """The relative drop without subtracting the random order: AOPC as a share of the untouched score."""
    return perturbed.alone("logit"), perturbed.untouched("logit")


def standardised_alone(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    """AOPC of the class-standardised logit, the random order not subtracted; unit: standard deviations."""
    return perturbed.alone("standardised_logit"), None


def probability_alone(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    """AOPC of the predicted class's probability, the random order not subtracted; grows with confidence."""
    return perturbed.alone("probability"), None


def untouched_logit(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    """The mean logit of the predicted class on untouched images, which needs no heatmap: the scale of the logits."""
    return perturbed.untouched("logit"), None


def confidence(perturbed: Perturbed) -> tuple[np.ndarray, None]:
    """The mean probability of the predicted class on untouched images, which needs no heatmap."""
    return perturbed.untouched("probability"), None


Quantity = Callable[[Perturbed], tuple[np.ndarray, np.ndarray | None]]  # numerator and denominator, each (N,)

QUALITIES: dict[str, Quantity] = {
    "AOPC": raw,
    "above random": above_random,
    "relative drop": relative_drop,
    "standardised": standardised,
    "probability": probability,
}
ALONE: dict[str, Quantity] = {  # these also count what any removal takes, whatever the heatmap
    "relative drop alone": relative_drop_alone,
    "standardised alone": standardised_alone,
    "probability alone": probability_alone,
}
CONTROLS: dict[str, Quantity] = {"mean logit": untouched_logit, "mean confidence": confidence}
SCALE_FREE = ("relative drop", "standardised", "relative drop alone", "standardised alone")


def series_of(quantity: Quantity, networks: Sequence[Perturbed]) -> Series:
    """A quantity of several networks on the same images."""
    numerators, denominators = zip(*map(quantity, networks), strict=True)
    below = [part for part in denominators if part is not None]
    return Series(np.stack(numerators), np.stack(below) if below else None)


def _numbers(curves: Curves) -> np.ndarray:
    found: np.ndarray = aopc(curves).double().numpy()
    return found
