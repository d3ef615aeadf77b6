"""What one comparison of a survey found, without its curves and heatmaps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from heatproof.measures import Estimate
from heatproof.measures.effects import effect_size
from heatproof.results.comparison import ComparisonResult
from heatproof.results.contrasts import Contrast, ahead
from heatproof.results.headline import paired
from heatproof.results.part import REFERENCE
from heatproof.results.witness import SHARE
from heatproof.results.work import Work

UNGROUPED = "no group"


class CellName(NamedTuple):
    """Which cell of a survey: names that its file gives."""

    network: str
    data: str
    protocol: str

    def __str__(self) -> str:
        return " / ".join(self)


@dataclass(frozen=True)
class Finding:
    """What one comparison of a survey found, without its curves and heatmaps.

    Attributes:
        name: which cell.
        chosen: the protocol that its images were judged by; another name than the cell's where that is "auto".
        images: (n) their names.
        classes: (n) names of the target classes.
        groups: (n) the group of each image; that of its class where no groups were given.
        unit: of the values.
        values: (n,) by method: ABPC, or AOPC above the random order in a comparison that is not symmetric.
        relative: each method against the random order, tested as a family.
        differences: paired differences between methods, tested as a family.
        shown: whether each method is shown to explain; empty where that was not tested.
        can_judge: whether the protocol can judge; none where that was not tested.
        truth: share of positive relevance in the right place, by method, where something was planted.
        work: what it took.
        skipped: how many pictures could not be used.
        errors: of shards that could not be computed.
    """

    name: CellName
    chosen: str
    images: tuple[str, ...]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    unit: str
    values: Mapping[str, np.ndarray]
    relative: Mapping[str, Contrast]
    differences: Mapping[tuple[str, str], Contrast]
    shown: Mapping[str, bool]
    can_judge: bool | None
    truth: Mapping[str, Estimate]
    work: Work
    skipped: int
    errors: tuple[str, ...]

    @classmethod
    def of(cls, name: CellName, found: ComparisonResult, groups: Mapping[str, str] | None = None) -> "Finding":
        """The finding of a comparison; groups are by name of the image."""
        values, assay = found.values, found.assay
        truth = found.truth.estimates[SHARE] if found.truth else {}
        between = {pair: one for pair, one in found.ranking.differences.items() if REFERENCE not in pair}
        return cls(
            name=name,
            chosen=found.choice.chosen if found.choice else name.protocol,
            images=found.names,
            classes=found.classes,
            groups=found.classes if groups is None else tuple(group_of(image, groups) for image in found.names),
            unit=found.protocol.unit,
            values={one: paired(values[one], values[REFERENCE]) for one in found.methods},
            relative={one: found.ranking.relative[one] for one in found.methods},
            differences=between,
            shown={one: evidence.shown for one, evidence in found.evidence.items()},
            can_judge=None if assay is None else assay.can_judge and (found.choice is None or found.choice.works),
            truth={one: truth[one] for one in found.methods if one in truth},
            work=found.work,
            skipped=len(found.skipped),
            errors=found.set_aside,
        )

    @cached_property
    def effects(self) -> dict[str, float]:
        """Effect size d of each method: mean of its values over their standard deviation, comparable across units."""
        return {method: effect_size(values) for method, values in self.values.items()}

    def advantage(self, first: str, second: str = REFERENCE) -> float | None:
        """Effect size of what a method is ahead of another, or of the random order; none where one is missing."""
        if first not in self.values or (second != REFERENCE and second not in self.values):
            return None
        return (
            self.effects[first] if second == REFERENCE else effect_size(paired(self.values[first], self.values[second]))
        )

    def is_above(self, first: str, second: str = REFERENCE) -> bool:
        """Whether one of two methods, of which one may be the random order, is significantly better."""
        if REFERENCE in (first, second):
            one = self.relative.get(first if second == REFERENCE else second)
            return one is not None and (one.above if second == REFERENCE else one.below)
        found = ahead(self.differences, (first, second))
        return found is not None and found.above

    def frame(self) -> pl.DataFrame:
        """A row for each method and image of the cell."""
        rows = [(method, number) for method, values in self.values.items() for number in range(len(values))]
        return pl.DataFrame(
            {
                "network": [self.name.network] * len(rows),
                "data": [self.name.data] * len(rows),
                "protocol": [self.name.protocol] * len(rows),
                "method": [method for method, _ in rows],
                "image": [self.images[number] for _, number in rows],
                "class": [self.classes[number] for _, number in rows],
                "group": [self.groups[number] for _, number in rows],
                "value": [float(self.values[method][number]) for method, number in rows],
                "unit": [self.unit] * len(rows),
            }
        )


def group_of(image: str, groups: Mapping[str, str]) -> str:
    """The group of an image, whose table may name it without some of its folders.

    >>> group_of("photos/night/1.png", {"1.png": "some", "night/1.png": "dark"})
    'dark'
    """
    parts = image.split("/")
    return next((groups[one] for i in range(len(parts)) if (one := "/".join(parts[i:])) in groups), UNGROUPED)
