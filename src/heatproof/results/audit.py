"""What the audit of a comparison found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from heatproof.measures import Estimate, aopc, estimate, r_oms
from heatproof.measures.agreement import ranking_agreement
from heatproof.measures.reversals import Reversal, reversals
from heatproof.perturbation import Curves
from heatproof.runs.serialization import scores_frame

AS_COMPARED = "as compared"
ORDERS = {"morf": "most relevant first", "lerf": "least relevant first"}
BOTH = "both"  # orders, in a symmetric comparison


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
        """(M, N) AOPC of each method; of its negative where the least relevant regions go: higher is always better.

        Of ``both`` orders their sum, which is ABPC.
        """
        if order == BOTH:
            return np.asarray(self.values(score, "morf") + self.values(score, "lerf"))
        sign = 1 if order == "morf" else -1
        return np.stack([sign * aopc(curves).double().numpy() for curves in self.curves[score, order].values()])


@dataclass(frozen=True)
class AuditCondition:
    """A condition under which methods are ranked.

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
        asked: the pairs of methods of which a reversal could be found with so many images; none for all pairs.
        needed: how many images it would take to find a reversal of the clearest pair, where none could be found and
            some differ.
        symmetric: whether methods are ranked by the difference of both orders (ABPC).
    """

    names: tuple[str, ...]
    score: str
    evaluated: tuple[Evaluated, ...]
    removal: Mapping[str, Curves]
    evaluations: int
    seconds: float
    asked: tuple[tuple[str, str], ...] | None = None
    needed: int | None = None
    symmetric: bool = False

    @property
    def methods(self) -> list[str]:
        """Names of the methods that were ranked."""
        return list(self.evaluated[0].curves[self.score, "morf"]) if self.evaluated else []

    @cached_property
    def conditions(self) -> list[AuditCondition]:
        """Conditions under which methods are ranked, that of the comparison first; each other changes one thing."""
        return list(self._conditions())

    def _conditions(self) -> Iterator[AuditCondition]:
        order = BOTH if self.symmetric else "morf"
        for found in self.evaluated:
            yield AuditCondition(found.changed, found.to, self.score, found.values(self.score, order))
        for own in self.evaluated[:1]:
            for other in ("morf", "lerf") if self.symmetric else ("lerf",):
                yield AuditCondition("order", ORDERS[other], self.score, own.values(self.score, other))
            others = [score for score, walked in own.curves if walked == "morf" and score != self.score]
            for score in others:
                yield AuditCondition("score", score, score, own.values(score, order))

    @cached_property
    def agreements(self) -> list[Estimate]:
        """Kendall's τ between the comparison's own ranking and that of each other condition, with its interval."""
        return [ranking_agreement(self.conditions[0].values, other.values) for other in self.conditions[1:]]

    @cached_property
    def reversals(self) -> list[Reversal]:
        """Pairs of methods whose order is significantly reversed, at a family-wise error of 5 %."""
        if not self.conditions:
            return []
        own, *others = self.conditions
        return reversals(self.methods, own.values, {str(other): other.values for other in others}, asked=self.asked)

    @cached_property
    def r_oms(self) -> dict[str, Estimate]:
        """Area under the predicted class's probability while random regions go, by replacement; higher is nearer."""
        return {name: _within_unit(estimate(r_oms(curves).double().numpy())) for name, curves in self.removal.items()}

    def best(self, condition: AuditCondition) -> str:
        """The method that ranks first under the condition."""
        return self.methods[int(condition.values.mean(axis=1).argmax())]

    def reversed_in(self, condition: AuditCondition) -> int:
        """How many pairs of methods are significantly reversed under the condition."""
        return sum(found.condition == str(condition) for found in self.reversals)

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
        return pl.concat(frames, how="diagonal")

    def _rows(self, curves: Mapping[str, Curves], replacement: str, regions: str, score: str) -> pl.DataFrame:
        told = (pl.lit(replacement).alias("replacement"), pl.lit(regions).alias("regions"), pl.lit(score).alias("unit"))
        return scores_frame(curves, self.names).with_columns(*told)

    def describe(self) -> dict[str, Any]:
        """The audit as JSON-able values."""
        return {
            "images": list(self.names),
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
            "asked": None if self.asked is None else [list(pair) for pair in self.asked],
            "needed": self.needed,
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


def _numbers(value: Estimate) -> dict[str, float | None]:
    return {
        name: float(number) if np.isfinite(number) else None
        for name, number in (("mean", value.mean), ("low", value.low), ("high", value.high))
    }


def _within_unit(value: Estimate) -> Estimate:
    """A mean of probabilities lies between 0 and 1, and so does its interval."""
    mean, low, high = (float(np.clip(number, 0, 1)) for number in (value.mean, value.low, value.high))
    return Estimate(mean, low, high)
