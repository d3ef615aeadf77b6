"""What the audit of a comparison found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from heatproof.measures import Estimate, aopc, estimate, estimate_curve, r_oms
from heatproof.measures.agreement import ranking_agreement
from heatproof.measures.reversals import Reversal, reversals
from heatproof.perturbation import Curves
from heatproof.report import Band, Table, counted, curves_figure
from heatproof.runs.serialization import scores_frame
from heatproof.studies.verdict import listed

AS_COMPARED = "as compared"
CLOSE = 0.5  # a τ that may lie below this says that too little is known of the agreement
ORDERS = {"morf": "most relevant first", "lerf": "least relevant first"}


@dataclass(frozen=True)
class Evaluated:
    """Curves of all methods in one setting.

    Attributes:
        changed: what differs from the comparison, "replacement" or "region size", or ``AS_COMPARED``.
        to: what it becomes, in words.
        replacement: what a removed region becomes.
        regions: in words.
        curves: by method, by (score, order).
    """

    changed: str
    to: str
    replacement: str
    regions: str
    curves: Mapping[tuple[str, str], Mapping[str, Curves]]

    def values(self, score: str, order: str) -> np.ndarray:
        """(M, N) AOPC of each method; of its negative where the least relevant regions go: higher is always better."""
        sign = 1 if order == "morf" else -1
        return np.stack([sign * aopc(curves).double().numpy() for curves in self.curves[score, order].values()])


@dataclass(frozen=True)
class Condition:
    """One way of judging the methods.

    Attributes:
        changed: what differs from the comparison.
        to: what it becomes, in words.
        score: in whose unit the values are.
        values: (M, N), higher is better.
    """

    changed: str
    to: str
    score: str
    values: np.ndarray

    def __str__(self) -> str:
        return f"{self.changed} {self.to}"


@dataclass(frozen=True)
class Audit:
    """Whether the ranking of methods depends on how regions are removed and scored, and how far off each way leads.

    Attributes:
        names: (N) names of the audited images.
        score: of the comparison.
        evaluated: the comparison's own setting first; none where there is one method.
        removal: probability of the predicted class while all regions go in random order, by replacement, the
            comparison's own first.
        evaluations: of the network, on perturbed images and untouched ones; those of the comparison do not count.
        seconds: that it took.
    """

    names: tuple[str, ...]
    score: str
    evaluated: tuple[Evaluated, ...]
    removal: Mapping[str, Curves]
    evaluations: int
    seconds: float

    @property
    def methods(self) -> list[str]:
        """All that were ranked."""
        return list(self.evaluated[0].curves[self.score, "morf"]) if self.evaluated else []

    @cached_property
    def conditions(self) -> list[Condition]:
        """Ways of judging the methods, one thing changed each; the comparison's own first."""
        return list(self._conditions())

    def _conditions(self) -> Iterator[Condition]:
        for found in self.evaluated:
            yield Condition(found.changed, found.to, self.score, found.values(self.score, "morf"))
        for own in self.evaluated[:1]:
            yield Condition("order", ORDERS["lerf"], self.score, own.values(self.score, "lerf"))
            others = [score for score, order in own.curves if order == "morf" and score != self.score]
            for score in others:
                yield Condition("score", score, score, own.values(score, "morf"))

    @cached_property
    def agreements(self) -> list[Estimate]:
        """Kendall's τ between the comparison's own ranking and that of each other condition, with its interval."""
        return [ranking_agreement(self.conditions[0].values, other.values) for other in self.conditions[1:]]

    @cached_property
    def reversals(self) -> list[Reversal]:
        """Pairs of methods that provably change places, at a family-wise error of 5 %."""
        if not self.conditions:
            return []
        own, *others = self.conditions
        return reversals(self.methods, own.values, {str(other): other.values for other in others})

    @cached_property
    def r_oms(self) -> dict[str, Estimate]:
        """Area under the predicted class's probability while random regions go, by replacement; higher is nearer."""
        return {name: _within_unit(estimate(r_oms(curves).double().numpy())) for name, curves in self.removal.items()}

    @property
    def warnings(self) -> list[str]:
        """One for each condition under which methods provably change places, with the clearest pair."""
        found = sorted(self.reversals, key=lambda reversal: (reversal.condition, reversal.p))
        return [self._warning(list(same)) for _, same in groupby(found, key=lambda reversal: reversal.condition)]

    @property
    def verdict(self) -> list[str]:
        """In plain words: what the ranking depends on, what is not known, and how far off the replacements lead."""
        return [sentence for sentence in (self._depends(), self._open(), self._scope()) if sentence]

    def table(self) -> Table:
        """How far the ranking of methods agrees with that of the comparison when one thing is changed."""
        rows = tuple(
            (other.changed, other.to, tau.mean, tau.low, tau.high, self._best(other), self._reversed(other))
            for other, tau in zip(self.conditions[1:], self.agreements, strict=True)
        )
        note = (
            f"Kendall's τ between the methods' rankings as compared and with one thing changed, on "
            f"{counted(len(self.names), 'image')} (1: alike, −1: backwards), with 95 % intervals over images, which "
            "lie rather too low than too high. Reversed: pairs that provably change places (all pairs and conditions "
            "together at a family-wise error of 5 %). Least relevant first, a lower AOPC is better: it asks "
            "what does not count; methods may be good at one question alone."
        )
        return Table(("changed", "to", "agreement", "low", "high", "then first", "reversed"), rows, (note,))

    def removal_table(self) -> Table:
        """R-OMS of each replacement: how long the network still sees the same class while random regions go."""
        rows = tuple((name, value.mean, value.low, value.high) for name, value in self.r_oms.items())
        note = (
            "Area under the predicted class's probability over the removed share, in an order that is the same for all "
            f"replacements, on {counted(len(self.names), 'image')}, with 95 % intervals. Higher: images stay in what "
            "the network knows, or the replacement leaves information in place, as blur does. Lower: scores say less "
            "about regions, and more about images that the network does not know."
        )
        return Table(("replacement", "R-OMS", "low", "high"), rows, (note,))

    def tables(self) -> dict[str, Table]:
        """By caption."""
        ranking = {"Does the ranking depend on how it was asked?": self.table()}
        return (ranking if self.conditions else {}) | {"R-OMS of each replacement": self.removal_table()}

    def frame(self) -> pl.DataFrame:
        """Every score of every image, setting, method and step; random orders to full removal under "random order"."""
        frames = [
            self._rows(curves, found.replacement, found.regions, score)
            for found in self.evaluated
            for (score, _), curves in found.curves.items()
        ]
        frames += [
            self._rows({"random order": curves}, name, "all, to the end", "probability")
            for name, curves in self.removal.items()
        ]
        return pl.concat(frames)

    @property
    def bands(self) -> list[Band]:
        """The predicted class's probability while regions go in random order, by replacement."""
        bands = []
        for name, curves in self.removal.items():
            mean, low, high = estimate_curve(curves.scores.double().mean(dim=1).numpy())
            bands.append(Band(name, mean, low.clip(0, 1), high.clip(0, 1), at=curves.middles.numpy()))
        return bands

    def figure(self) -> Figure:
        """The predicted class's probability while regions go in random order, by replacement (higher is nearer)."""
        first = next(iter(self.removal.values()))
        return curves_figure(
            self.bands,
            title="Random regions are removed, to the end (R-OMS)",
            ylabel="probability of the predicted class",
            removed_fraction=first.removed_fraction.mean(dim=(0, 1)).numpy(),
        )

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        return {
            "images": list(self.names),
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "r_oms": {name: _numbers(value) for name, value in self.r_oms.items()},
            "agreement": [
                {"changed": other.changed, "to": other.to, "kendall_tau": _numbers(tau)}
                for other, tau in zip(self.conditions[1:], self.agreements, strict=True)
            ],
            "reversals": [
                {
                    "higher": found.higher,
                    "lower": found.lower,
                    "condition": found.condition,
                    "as_compared": _numbers(found.here),
                    "then": _numbers(found.there),
                    "p": found.p,
                }
                for found in self.reversals
            ],
        }

    def _rows(self, curves: Mapping[str, Curves], replacement: str, regions: str, score: str) -> pl.DataFrame:
        told = (pl.lit(replacement).alias("replacement"), pl.lit(regions).alias("regions"), pl.lit(score).alias("unit"))
        return scores_frame(curves, self.names).with_columns(*told)

    def _warning(self, found: list[Reversal]) -> str:
        pair = found[0]
        condition = next(other for other in self.conditions if str(other) == pair.condition)
        text = (
            f"the ranking depends on the {condition.changed}: as compared, {pair.higher} is better than {pair.lower} "
            f"by {pair.here} ({self.score}); with {condition}, {pair.lower} is better than {pair.higher} by "
            f"{_turned(pair.there)} ({condition.score}), on the same {counted(len(self.names), 'image')}"
        )
        return f"{text}; and {counted(len(found) - 1, 'other pair')}" if len(found) > 1 else text

    def _depends(self) -> str:
        if not self.conditions or len(self.names) < 2:
            return ""
        asked = f"Audit of {counted(len(self.names), 'image')} ({self.evaluations:,} more evaluations):"
        others = self.conditions[1:]
        changed = list(dict.fromkeys(other.changed for other in others if self._reversed(other)))
        if changed:
            return f"{asked} the ranking of methods depends on the {listed(changed)}; see the warnings."
        every = listed(list(dict.fromkeys(other.changed for other in others)))
        return f"{asked} no two methods provably change places when one of these is changed: {every}."

    def _open(self) -> str:
        unknown = [
            other
            for other, tau in zip(self.conditions[1:], self.agreements, strict=True)
            if not tau.low >= CLOSE and not self._reversed(other)
        ]
        if not unknown:
            return ""
        told = [
            f"{changed} ({', '.join(other.to for other in same)})"
            for changed, same in groupby(unknown, key=lambda other: other.changed)
        ]
        return (
            f"They are too few to tell whether the ranking stays the same (τ may be below {CLOSE}) with another "
            f"{listed(told)}."
        )

    def _scope(self) -> str:
        order = sorted(self.r_oms, key=lambda name: -self.r_oms[name].mean)
        told = ", ".join(f"{name} {self.r_oms[name]}" for name in order)
        return f"R-OMS (1: the network still sees what it saw, while random regions go; 0: lost at once): {told}."

    def _best(self, condition: Condition) -> str:
        return self.methods[int(condition.values.mean(axis=1).argmax())]

    def _reversed(self, condition: Condition) -> int:
        return sum(found.condition == str(condition) for found in self.reversals)


def _numbers(value: Estimate) -> dict[str, float | None]:
    return {
        name: float(number) if np.isfinite(number) else None
        for name, number in (("mean", value.mean), ("low", value.low), ("high", value.high))
    }


def _turned(value: Estimate) -> Estimate:
    return Estimate(-value.mean, -value.high, -value.low)


def _within_unit(value: Estimate) -> Estimate:
    """A mean of probabilities lies between 0 and 1, and so does its interval."""
    mean, low, high = (float(np.clip(number, 0, 1)) for number in (value.mean, value.low, value.high))
    return Estimate(mean, low, high)
