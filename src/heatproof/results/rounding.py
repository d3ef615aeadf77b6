"""What evaluating in another precision than float32 changed, measured on some of the images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from heatproof.measures import estimate
from heatproof.perturbation import Curves
from heatproof.results.headline import Values, headline, paired
from heatproof.results.part import REFERENCE

SMALL = 0.1  # of half the width of an interval: an error up to which nobody would read it otherwise


@dataclass(frozen=True)
class RoundingOfMethod:
    """What a method is compared by (AOPC or ABPC), as a mean over these images.

    Attributes:
        exact: from scores in float32.
        rounded: from those of the comparison.
        half_width: of the 95 % interval of the comparison, over all its images; none with fewer than two.
    """

    exact: float
    rounded: float
    half_width: float | None

    @property
    def error(self) -> float:
        """How far the comparison is off."""
        return self.rounded - self.exact

    @property
    def is_small(self) -> bool:
        """Whether that is small beside the interval."""
        return self.half_width is None or abs(self.error) <= SMALL * self.half_width


@dataclass(frozen=True)
class Rounding:
    """Errors of scores in another precision, against the same images perturbed in the same way in float32.

    Attributes:
        precision: of the comparison.
        names: of the images.
        scores: how many scores were compared.
        spread: the range of the scores in float32.
        largest: error of a score, as a share of that range.
        mean: absolute error of a score, as a share of that range.
        methods: what becomes of each method's mean, controls left out.
        closest: the smallest difference between two methods of the comparison, by means over all images; none for one.
        seconds: that it took.
    """

    precision: str
    names: tuple[str, ...]
    scores: int
    spread: float
    largest: float
    mean: float
    methods: Mapping[str, RoundingOfMethod]
    closest: float | None
    seconds: float

    @classmethod
    def of(
        cls,
        rounded: Sequence[Mapping[str, Curves]],
        exact: Sequence[Mapping[str, Curves]],
        values: Values,
        methods: Sequence[str],
        *,
        names: Sequence[str],
        precision: str,
        symmetric: bool,
        seconds: float,
    ) -> Self:
        """What differs.

        Args:
            rounded: curves of the comparison on these images, by method, most and least relevant first.
            exact: the same in float32.
            values: (N,) of all images of the comparison, by method.
            methods: whose means are compared.
            names: of these images.
            precision: of the comparison.
            symmetric: whether methods are compared by ABPC.
            seconds: that it took.
        """
        pairs = [
            (found.scores.double().numpy().ravel(), other[name].scores.double().numpy().ravel())
            for curves, other in zip(rounded, exact, strict=True)
            for name, found in curves.items()
        ]
        here, there = (np.concatenate(side) for side in zip(*pairs, strict=True))
        spread = float(there.max() - there.min())
        errors = np.abs(here - there) / (spread or 1.0)
        own, other = (headline(side[0], side[-1], symmetric=symmetric) for side in (rounded, exact))
        means = {name: float(values[name].mean()) for name in methods if name != REFERENCE}
        between = np.diff(np.sort(list(means.values())))
        return cls(
            precision=precision,
            names=tuple(names),
            scores=len(here),
            spread=spread,
            largest=float(errors.max()),
            mean=float(errors.mean()),
            methods={
                name: RoundingOfMethod(float(other[name].mean()), float(own[name].mean()), _half_width(values, name))
                for name in methods
            },
            closest=float(between.min()) if len(between) else None,
            seconds=seconds,
        )

    @property
    def too_large(self) -> list[str]:
        """Methods whose error is not small beside their interval."""
        return [name for name, one in self.methods.items() if not one.is_small]

    def describe(self) -> dict[str, Any]:
        """What is stored of it, as JSON-able values."""
        return asdict(self) | {"names": list(self.names)}


def _half_width(values: Values, name: str) -> float | None:
    found = estimate(paired(values[name], values[REFERENCE]) if REFERENCE in values else values[name])
    half = (found.high - found.low) / 2
    return float(half) if np.isfinite(half) else None
