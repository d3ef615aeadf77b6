"""Whether the protocol of a symmetric comparison can judge: what its positive and negative controls say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heatproof.heatmaps.control_methods import MUST_BEAT, UPPER_MARK, kind_of_control
from heatproof.measures.effects import effect_size
from heatproof.results.contrasts import each_alone
from heatproof.results.evidence import Evidence
from heatproof.results.headline import Values, paired

LEANING = 0.4  # standard deviations of the images


@dataclass(frozen=True)
class Assay:
    """What the controls of a symmetric comparison say of its protocol.

    Attributes:
        controls: what speaks for each input-only baseline, and for the upper mark.
        methods: what speaks for each method.
        effects: effect size d of each map's ABPC: mean over standard deviation of the images.
        separation: the largest effect size of the difference between a map (a method, or the upper mark) and its
            strongest rival: how clearly the protocol tells the best map from maps that know nothing. The strictly
            standardised mean difference (SSMD) of paired values [Zhang2007].
        taken: share of the untouched score that the random order takes, means over images and steps divided.
        scattered: input-only baselines that harm less than the random order when removed first, and keep more when
            removed last (``scattered``).
    """

    controls: Mapping[str, Evidence]
    methods: Mapping[str, Evidence]
    effects: Mapping[str, float]
    separation: float
    taken: float
    scattered: tuple[str, ...]

    @property
    def validated(self) -> bool:
        """Whether there are negative controls, without which nothing is known of the protocol."""
        return any(kind_of_control(name) in MUST_BEAT for name in self.controls)

    @property
    def detected(self) -> list[str]:
        """Maps that are significantly better than all of their rivals: methods, and the upper mark."""
        upper = {name: one for name, one in self.controls.items() if kind_of_control(name) == UPPER_MARK}
        return [name for name, one in (*self.methods.items(), *upper.items()) if one.shown]

    @property
    def can_judge(self) -> bool:
        """Whether the protocol can judge on this network and these images."""
        return self.validated and not self.scattered and bool(self.detected)

    def describe(self) -> dict[str, Any]:
        """The quality of the assay as JSON-able values."""
        return {
            "can_judge": self.can_judge,
            "separation": _finite(self.separation),
            "effects": {name: _finite(effect) for name, effect in self.effects.items()},
            "scattered": list(self.scattered),
            "detected": self.detected,
            "random_order_takes": _finite(self.taken),
        }


def separation(values: Values, evidence: Mapping[str, Evidence]) -> float:
    """The largest effect size of a map over its strongest rival; NaN without rivals or with fewer than two images."""
    found = []
    for name, one in evidence.items():
        clear = [effect_size(paired(values[name], values[rival])) for rival in one.rivals]
        if clear:
            found.append(min(clear))
    return max(found, default=float("nan"))


def scattered(halves: tuple[Values, Values], baselines: Sequence[str]) -> tuple[str, ...]:
    """Baselines of which the MoRF gain is below zero and the LeRF gain above (sign flips, each at 5 %, uncorrected).

    Where there are some, scattered removal harms more than compact removal: curves then measure how scattered a map is,
    whatever it knows.
    """
    morf, lerf = (each_alone({name: half[name] for name in baselines}) for half in halves)
    return tuple(name for name in baselines if morf[name].below and lerf[name].above)


def leaning(halves: tuple[Values, Values], baselines: Sequence[str]) -> tuple[str, ...]:
    """Baselines that lean to ``scattered``, by effect size: a pilot has too few images for tests."""
    morf, lerf = ({name: effect_size(half[name]) for name in baselines} for half in halves)
    return tuple(name for name in baselines if morf[name] < -LEANING and lerf[name] > LEANING)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
