"""What a survey found: comparisons of the same methods on many networks, data sets and protocols."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np
import polars as pl

from heatproof.measures import Estimate
from heatproof.measures.agreement import kendall
from heatproof.measures.generality import General, in_general, jackknifed
from heatproof.measures.significance import holm
from heatproof.results.contrasts import ERROR
from heatproof.results.findings import CellName, Finding
from heatproof.results.groups import GroupFails, fails_of_groups
from heatproof.results.part import REFERENCE

Factor = Literal["network", "data", "protocol"]
FACTORS: tuple[Factor, ...] = ("network", "data", "protocol")


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

    def advantages(self, protocol: str, first: str, second: str = REFERENCE) -> np.ndarray:
        """(K,) effect size of what a method is ahead of another: for each network the mean over its cells."""
        found: dict[str, list[float]] = {}
        for one in self.judged(protocol):
            value = one.advantage(first, second)
            if value is not None and np.isfinite(value):
                found.setdefault(one.name.network, []).append(value)
        return np.array([np.mean(values) for values in found.values()])

    def general(self, protocol: str) -> dict[str, General]:
        """Effect size d of each method in general, over the networks that the protocol can judge; higher is better."""
        effects = {method: self.advantages(protocol, method) for method in self.methods}
        return {method: in_general(values) for method, values in effects.items() if len(values)}

    def pairs(self, protocol: str) -> dict[tuple[str, str], Pair]:
        """Each two methods, the better one in general first."""
        cells, found = self.judged(protocol), {}
        for pair in combinations(self.methods, 2):
            values = self.advantages(protocol, *pair)
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

        Its interval is over networks, which are left out one after the other with all their pairs.
        """
        cells = {one.name: one for one in self.findings if one.can_judge is not False}
        found = {pair: _agreement(cells[pair[0]], cells[pair[1]]) for pair in _apart(list(cells), factor)}
        known = {pair: value for pair, value in found.items() if np.isfinite(value)}
        if not known:
            return None
        networks = dict.fromkeys(name.network for pair in known for name in pair)
        without = [
            [value for pair, value in known.items() if network not in (pair[0].network, pair[1].network)]
            for network in networks
        ]
        means = np.array([np.mean(values) if values else np.nan for values in without])
        return jackknifed(float(np.mean(list(known.values()))), means), len(known)

    @cached_property
    def fails(self) -> list[GroupFails]:
        """How often each method fails on each group of images, over all cells that say something."""
        return fails_of_groups([one for one in self.findings if one.can_judge is not False])

    def frame(self) -> pl.DataFrame:
        """A row for each cell, method and image."""
        return pl.concat([one.frame() for one in self.findings])


def _pair(cells: Sequence[Finding], pair: tuple[str, str], general: General) -> Pair:
    both = [one for one in cells if pair[0] in one.values and pair[1] in one.values]
    return Pair(
        general,
        general.p,
        better=tuple(one.name for one in both if one.is_above(*pair)),
        worse=tuple(one.name for one in both if one.is_above(*pair[::-1])),
        cells=len(both),
    )


def _apart(names: Sequence[CellName], factor: Factor) -> Iterator[tuple[CellName, CellName]]:
    """Pairs of cells that differ in this factor only."""
    for first, second in combinations(names, 2):
        if [one for one in FACTORS if getattr(first, one) != getattr(second, one)] == [factor]:
            yield first, second


def _agreement(first: Finding, second: Finding) -> float:
    """Kendall's τ of the methods that two cells share, by their means."""
    shared = [method for method in first.values if method in second.values]
    one, other = ([float(cell.values[method].mean()) for method in shared] for cell in (first, second))
    return float(kendall(np.array([one]), np.array([other]))[0])
