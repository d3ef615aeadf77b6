"""Which protocol was chosen on a pilot, and how the candidates did there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from typing import Any

import numpy as np

MARGIN = 0.5  # standard deviations of the images


@dataclass(frozen=True)
class Candidate:
    """How a protocol did.

    Attributes:
        name: of the protocol.
        regions: as its option takes them.
        replacement: what a removed region becomes.
        removed: share of the image that is removed in the end.
        separation: how many standard deviations of the images the best map lies above its strongest control (SSMD);
            higher is better.
        halves: Kendall's τ of the maps' ranking by MoRF gain and by LeRF gain; higher is better.
        taken: share of the score that the random order takes; where it nears 1, nothing is left to lose.
        evaluations: of the network.
        scattered: input-only baselines that suggest that scattered removal harms more than compact removal.
        detected: maps that are significantly better than their controls.
        score: in whose unit its values are; empty where an earlier version did not say it.
        r_oms: mean probability of the target while random regions go, to the end; NaN where that was not evaluated.
    """

    name: str
    regions: int | str
    replacement: str
    removed: float
    separation: float
    halves: float
    taken: float
    evaluations: int
    scattered: tuple[str, ...] = ()
    detected: tuple[str, ...] = ()
    score: str = ""
    r_oms: float = nan

    @property
    def works(self) -> bool:
        """Whether the best map lies above all its controls, and compact maps are not punished."""
        return not self.scattered and bool(self.separation > 0)  # false for NaN


@dataclass(frozen=True)
class Choice:
    """The protocol that was chosen on a pilot, whose images were not judged.

    Attributes:
        candidates: how each did on the pilot.
        images: names of the pilot's images.
        places: of these in the data set.
        fallback: the protocol that is taken where none works.
    """

    candidates: tuple[Candidate, ...]
    images: tuple[str, ...]
    places: tuple[int, ...]
    fallback: str

    @property
    def chosen(self) -> str:
        """Name of the protocol that is recommended, else the fallback."""
        best = recommended(self.candidates, self.fallback)
        return best.name if best else self.fallback

    @property
    def works(self) -> bool:
        """Whether any candidate works."""
        return recommended(self.candidates, self.fallback) is not None

    def describe(self) -> dict[str, Any]:
        """The choice as JSON-able values."""
        rows = [{name: _number(value) for name, value in asdict(one).items()} for one in self.candidates]
        return {"chosen": self.chosen, **asdict(self), "candidates": rows}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Choice":
        """What ``describe`` gave."""

        def read(value: Any) -> Any:  # noqa: ANN401 - a value of JSON
            return tuple(value) if isinstance(value, list) else nan if value is None else value

        rows = [{name: read(value) for name, value in one.items()} for one in content["candidates"]]
        return cls(
            candidates=tuple(Candidate(**row) for row in rows),
            images=tuple(content["images"]),
            places=tuple(content["places"]),
            fallback=content["fallback"],
        )


def _number(value: Any) -> Any:  # noqa: ANN401 - what a candidate has
    """A value of JSON: none for NaN, and the largest number for an infinite one, which stays above all others."""
    if not isinstance(value, float):
        return value
    return None if np.isnan(value) else float(np.nan_to_num(value))


def recommended(candidates: Sequence[Candidate], preferred: str) -> Candidate | None:
    """The candidate that separates best of those that work; none if none does.

    The preferred one gives way to another only if that separates better by ``MARGIN``: on few images the separations of
    protocols that are alike differ by as much by chance.
    """
    working = [one for one in candidates if one.works]
    best = max(working, key=lambda one: one.separation, default=None)
    kept = next((one for one in working if one.name == preferred), None)
    return kept if best and kept and best.separation < kept.separation + MARGIN else best
