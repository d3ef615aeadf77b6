"""What a comparison of methods found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.heatmaps.control_methods import MUST_BEAT, UPPER_MARK, kind_of_control
from heatproof.measures import Estimate, estimate
from heatproof.measures.effects import effect_size
from heatproof.perturbation import Curves, Protocol
from heatproof.results.assay import Assay, scattered, separation
from heatproof.results.audit import Audit
from heatproof.results.choice import Choice
from heatproof.results.chosen import Chosen
from heatproof.results.evidence import Evidence, evidence
from heatproof.results.headline import Values, gains, headline, of_curves, proper_methods
from heatproof.results.measured import Measured
from heatproof.results.part import REFERENCE, Key, Part, key_of
from heatproof.results.ranking import Ranking, rank
from heatproof.results.rounding import Rounding
from heatproof.results.settlement import Settlement
from heatproof.results.witness import Truth
from heatproof.results.work import Work
from heatproof.runs.serialization import scores_frame


@dataclass(frozen=True)
class ComparisonResult:
    """What a comparison of heatmap methods found; ``studies.Comparison`` says what its attributes are."""

    network: Mapping[str, Any]
    shown: Chosen
    found: Part
    protocol: Protocol
    plan: Mapping[str, Any]
    audit: Audit | None
    settlement: Settlement | None
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    work: Work
    set_aside: tuple[str, ...] = ()
    choice: Choice | None = None
    truth: Truth | None = None
    rounding: Rounding | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names of the images."""
        return self.found.names

    @property
    def classes(self) -> tuple[str, ...]:
        """(N) names of the target classes."""
        return self.found.classes

    @property
    def identities(self) -> tuple[str, ...]:
        """(N) hashes of the images' pixels."""
        return max((curves.images for curves in self.morf.values()), key=len)

    @property
    def heatmaps(self) -> dict[str, Tensor]:
        """(N, H, W) by method."""
        return self.found.heatmaps

    @property
    def morf(self) -> dict[str, Curves]:
        """Curves by method, the most relevant regions removed first, and those of the random order."""
        return self.found.curves

    @property
    def lerf(self) -> dict[str, Curves]:
        """Curves by method, the least relevant regions removed first, if that was asked for."""
        return self.found.lerf

    @property
    def conservation(self) -> dict[str, Conservation]:
        """What became of the score, by LRP method."""
        return self.found.conservation

    @property
    def measured(self) -> Measured:
        """Every measure that the curves allow, of each image (n,), by method and measure, best method first."""
        return {name: self.found.measured[name] for name in (*self.ranking.methods, *self.controls)}

    @property
    def symmetric(self) -> bool:
        """Whether methods are compared by the difference of both orders (ABPC), and not by AOPC."""
        return bool(self.plan.get("symmetric", False))

    @cached_property
    def values(self) -> Values:
        """(n,) what each method, control and the random order is compared by."""
        return headline(self.morf, self.lerf, symmetric=self.symmetric)

    @property
    def methods(self) -> list[str]:
        """Names of the methods that are ranked: in a symmetric comparison controls are not."""
        names = [name for name in self.morf if name != REFERENCE]
        return proper_methods(names) if self.symmetric else names

    @cached_property
    def ranking(self) -> Ranking:
        """Methods by what they are compared by, with paired intervals."""
        values = {name: self.values[name] for name in (*self.methods, REFERENCE)}
        return rank(values, REFERENCE, self.settlement.judge) if self.settlement else rank(values, REFERENCE)

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What speaks for each method, best first; nothing in a comparison that is not symmetric."""
        if not self.symmetric:
            return {}
        return self._evidence(self.ranking.methods, self.settlement)

    @cached_property
    def halves(self) -> tuple[Values, Values]:
        """MoRF and LeRF gain (n,) of each method and control, of a symmetric comparison."""
        return gains(self.morf, self.lerf)

    def _evidence(self, names: Sequence[str], race: Settlement | None) -> dict[str, Evidence]:
        return evidence(self.values, self.halves, names, race.judge if race else None)

    @cached_property
    def assay(self) -> Assay | None:
        """Whether the protocol can judge, by its controls; none for a comparison that is not symmetric."""
        if not self.symmetric:
            return None
        baselines = [name for name in self.controls if kind_of_control(name) in MUST_BEAT]
        marks = [name for name in self.controls if kind_of_control(name) == UPPER_MARK]
        upper = self._evidence(marks, None)  # the mark is in no race: it has the images until its first look
        of_controls = upper | self._evidence(baselines, self.settlement)
        untouched = float(self.morf[REFERENCE].scores[:, :, 0].double().mean())
        return Assay(
            controls=of_controls,
            methods=self.evidence,
            effects={name: effect_size(values) for name, values in self.values.items() if name != REFERENCE},
            separation=separation(self.values, self.evidence | upper),
            scattered=scattered(self.halves, baselines),
            taken=float(of_curves(self.morf[REFERENCE]).mean()) / untouched if untouched > 0 else float("nan"),
        )

    @cached_property
    def controls(self) -> dict[str, Estimate]:
        """What the controls of a symmetric comparison reach, best first."""
        means = {name: estimate(self.values[name]) for name in self.values if name not in (*self.methods, REFERENCE)}
        return dict(sorted(means.items(), key=lambda one: -one[1].mean))

    @cached_property
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each image, method, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

    def frame(self) -> pl.DataFrame:
        """Scores of every image, method, repeat and step."""
        parts: dict[Key, list[pl.DataFrame]] = {}
        for block in self.found.blocks():  # all of a shard before the next: a run reads each of them once
            for key, curves in block.walks().items():
                parts.setdefault(key, []).append(scores_frame({key[0]: curves}, block.names))
        order = [*map(key_of, self.morf), *((name, "lerf") for name in self.lerf)]
        return pl.concat([frame for key in order for frame in parts[key]])
