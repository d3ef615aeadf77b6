"""What a survey found: comparisons of the same methods on many networks, data sets and protocols."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from heatproof.measures import Estimate
from heatproof.measures.agreement import kendall
from heatproof.measures.effects import effect_size
from heatproof.measures.generality import General, in_general
from heatproof.measures.intervals import percentile_estimate, resampled
from heatproof.measures.significance import holm
from heatproof.results.comparison import ComparisonResult
from heatproof.results.contrasts import ERROR, Contrast
from heatproof.results.headline import paired
from heatproof.results.part import REFERENCE
from heatproof.results.witness import SHARE
from heatproof.results.work import Work

Factor = Literal["network", "data", "protocol"]
ValueOf = Callable[["Finding"], float | None]
Means = Mapping["CellName", tuple[dict[str, float], dict[str, np.ndarray]]]
FACTORS: tuple[Factor, ...] = ("network", "data", "protocol")


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
        unit: of the values.
        values: (n,) by method: ABPC, or AOPC above the random order in a comparison that is not symmetric.
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
    unit: str
    values: Mapping[str, np.ndarray]
    differences: Mapping[tuple[str, str], Contrast]
    shown: Mapping[str, bool]
    can_judge: bool | None
    truth: Mapping[str, Estimate]
    work: Work
    skipped: int
    errors: tuple[str, ...]

    @classmethod
    def of(cls, name: CellName, found: ComparisonResult) -> "Finding":
        """The finding of a comparison."""
        values, assay = found.values, found.assay
        truth = found.truth.estimates[SHARE] if found.truth else {}
        between = {pair: one for pair, one in found.ranking.differences.items() if REFERENCE not in pair}
        return cls(
            name=name,
            chosen=found.choice.chosen if found.choice else name.protocol,
            images=found.names,
            classes=found.classes,
            unit=found.protocol.unit,
            values={one: paired(values[one], values[REFERENCE]) for one in found.methods},
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


@dataclass(frozen=True)
class Pair:
    """Two methods over all cells of one protocol.

    Attributes:
        general: effect size of the first's advantage, in general; significant if ``p`` is at most 5 %.
        p: Holm-corrected over all pairs.
        better: cells in which the first is significantly better.
        worse: cells in which the second is.
        cells: in how many cells both were judged.
    """

    general: General
    p: float
    better: tuple[CellName, ...]
    worse: tuple[CellName, ...]
    cells: int

    @property
    def everywhere(self) -> bool:
        """Whether the first is significantly better in each cell."""
        return len(self.better) == self.cells

    @property
    def depends(self) -> bool:
        """Whether each of them is significantly better somewhere."""
        return bool(self.better and self.worse)

    @property
    def holds(self) -> bool:
        """Whether the first is significantly better in general."""
        return self.p <= ERROR and self.general.estimate.mean > 0


@dataclass(frozen=True)
class SurveyResult:
    """What a survey found; ``studies.Survey`` says what its attributes are."""

    findings: tuple[Finding, ...]
    failed: Mapping[str, str]
    folders: Mapping[str, str]

    @property
    def protocols(self) -> list[str]:
        """Names of the protocols, in order."""
        return list(dict.fromkeys(one.name.protocol for one in self.findings))

    @property
    def networks(self) -> list[str]:
        """Names of the networks, in order."""
        return list(dict.fromkeys(one.name.network for one in self.findings))

    @cached_property
    def methods(self) -> list[str]:
        """Methods, those with the largest mean effect first."""
        found: dict[str, list[float]] = {}
        for one in self.findings:
            for method, effect in one.effects.items():
                found.setdefault(method, []).append(effect)
        return sorted(found, key=lambda method: -float(np.nanmean(np.clip(found[method], -1e6, 1e6))))

    def judged(self, protocol: str) -> list[Finding]:
        """Cells of a protocol whose numbers say something: all but those where it cannot judge."""
        return [one for one in self.findings if one.name.protocol == protocol and one.can_judge is not False]

    def general(self, protocol: str) -> dict[str, General]:
        """Effect size d of each method in general, over the networks that the protocol can judge; higher is better."""
        cells = self.judged(protocol)
        effects = {method: _of_networks(cells, partial(_effect, method=method)) for method in self.methods}
        return {method: in_general(values) for method, values in effects.items() if len(values)}

    def pairs(self, protocol: str) -> dict[tuple[str, str], Pair]:
        """Each two methods, the better one in general first."""
        cells, found = self.judged(protocol), {}
        for pair in combinations(self.methods, 2):
            values = _of_networks(cells, partial(_advantage, pair=pair))
            if len(values):
                general = in_general(values)
                ordered = pair if general.estimate.mean >= 0 else pair[::-1]
                found[ordered] = _pair(cells, ordered, in_general(values if ordered == pair else -values))
        if not found:
            return {}
        corrected = holm(np.array([1.0 if np.isnan(one.p) else one.p for one in found.values()]))
        return {name: replace(one, p=p) for (name, one), p in zip(found.items(), corrected.tolist(), strict=True)}

    def agreement(self, factor: Factor) -> tuple[Estimate, int] | None:
        """Mean Kendall's τ between rankings of cells that differ in one factor only, and how many such pairs there are.

        Its interval is over images, which are drawn again; those that two cells share are drawn alike.
        """
        means = self._means
        found = [_agreement(first, second, means) for first, second in _apart(list(means), factor)]
        known = [(value, drawn) for value, drawn in found if np.isfinite(value)]
        if not known:
            return None
        values, drawn = zip(*known, strict=True)
        return percentile_estimate(float(np.mean(values)), np.nanmean(np.stack(drawn), axis=0)), len(known)

    @cached_property
    def _means(self) -> Means:
        """What rankings are made of, of each cell that says something."""
        return {one.name: self._drawn(one) for one in self.findings if one.can_judge is not False}

    def _drawn(self, one: Finding) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Mean value of each method, and of draws of the images."""
        draws = resampled(len(one.images), seed=self._sets.index(one.images)) / len(one.images)
        return {method: float(values.mean()) for method, values in one.values.items()}, {
            method: draws @ values for method, values in one.values.items()
        }

    @cached_property
    def _sets(self) -> list[tuple[str, ...]]:
        return list(dict.fromkeys(one.images for one in self.findings))

    def frame(self) -> pl.DataFrame:
        """A row for each cell, method and image."""
        return pl.concat([_frame(one) for one in self.findings])


def _of_networks(cells: Sequence[Finding], value_of: ValueOf) -> np.ndarray:
    """(K,) one value for each network: the mean over its cells."""
    found: dict[str, list[float]] = {}
    for one in cells:
        value = value_of(one)
        if value is not None and np.isfinite(value):
            found.setdefault(one.name.network, []).append(value)
    return np.array([np.mean(values) for values in found.values()])


def _effect(one: Finding, method: str) -> float | None:
    return one.effects.get(method)


def _advantage(one: Finding, pair: tuple[str, str]) -> float | None:
    """Effect size of the paired difference of two methods."""
    first, second = pair
    if first not in one.values or second not in one.values:
        return None
    return effect_size(paired(one.values[first], one.values[second]))


def _pair(cells: Sequence[Finding], pair: tuple[str, str], general: General) -> Pair:
    both = [one for one in cells if pair[0] in one.values and pair[1] in one.values]
    return Pair(
        general,
        general.p,
        better=tuple(one.name for one in both if _is_above(one, *pair)),
        worse=tuple(one.name for one in both if _is_above(one, *pair[::-1])),
        cells=len(both),
    )


def _is_above(one: Finding, first: str, second: str) -> bool:
    if (first, second) in one.differences:
        return one.differences[first, second].above
    return (second, first) in one.differences and one.differences[second, first].below


def _apart(names: Sequence[CellName], factor: Factor) -> Iterator[tuple[CellName, CellName]]:
    """Pairs of cells that differ in this factor only."""
    for first, second in combinations(names, 2):
        if [one for one in FACTORS if getattr(first, one) != getattr(second, one)] == [factor]:
            yield first, second


def _agreement(first: CellName, second: CellName, means: Means) -> tuple[float, np.ndarray]:
    """Kendall's τ of two cells, and of each draw."""
    (one, drawn), (other, others) = means[first], means[second]
    shared = [method for method in one if method in other]
    value = kendall(np.array([[one[m] for m in shared]]), np.array([[other[m] for m in shared]]))
    return float(value[0]), kendall(
        np.stack([drawn[m] for m in shared], axis=1), np.stack([others[m] for m in shared], axis=1)
    )


def _frame(one: Finding) -> pl.DataFrame:
    """A row for each method and image of a cell."""
    rows = [(method, number) for method, values in one.values.items() for number in range(len(values))]
    return pl.DataFrame(
        {
            "network": [one.name.network] * len(rows),
            "data": [one.name.data] * len(rows),
            "protocol": [one.name.protocol] * len(rows),
            "method": [method for method, _ in rows],
            "image": [one.images[number] for _, number in rows],
            "class": [one.classes[number] for _, number in rows],
            "value": [float(one.values[method][number]) for method, number in rows],
            "unit": [one.unit] * len(rows),
        }
    )
