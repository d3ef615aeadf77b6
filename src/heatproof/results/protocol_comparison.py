"""What a comparison of protocols found."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np
import polars as pl

from heatproof.heatmaps.control_methods import MUST_BEAT, kind_of_control
from heatproof.measures.agreement import kendall_tau
from heatproof.measures.areas import r_oms
from heatproof.measures.scores import ALL_REGIONS
from heatproof.perturbation.protocols import DEFAULT
from heatproof.results.assay import leaning
from heatproof.results.cells import CellsResult
from heatproof.results.choice import Candidate, recommended
from heatproof.results.comparison import ComparisonResult
from heatproof.results.headline import Values
from heatproof.results.part import IN_SCOPE, REFERENCE
from heatproof.results.work import Work


@dataclass(frozen=True)
class ProtocolResult(CellsResult):
    """What a comparison of protocols found; ``studies.ProtocolComparison`` says what its attributes are."""

    cells: Mapping[str, ComparisonResult]
    method: str

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """How each protocol did, the clearest separation first; those that cannot judge last."""
        found = [candidate(name, cell) for name, cell in self.cells.items()]
        found.sort(key=lambda one: (not one.works, -one.separation if one.separation == one.separation else 0.0))
        return {one.name: one for one in found}

    @property
    def recommended(self) -> Candidate | None:
        """The protocol to take; none if none works."""
        return recommended(list(self.candidates.values()), DEFAULT)

    @property
    def work(self) -> Work:
        """How much was evaluated, how long it took, and by which engine (that of the first protocol)."""
        return Work.of_all([cell.work for cell in self.cells.values()], self.first.work.engine)

    def about(self) -> dict[str, Any]:
        """What the study is made from beside its cells, as JSON-able values."""
        return {"method": self.method}

    def frame(self) -> pl.DataFrame:
        """Scores of every protocol, image, method, order, repeat and step, with their unit if there are several."""
        units = {name: cell.protocol.unit for name, cell in self.cells.items()}
        told = len(set(units.values())) > 1  # one score needs no column
        return pl.concat(
            [
                cell.frame()
                .insert_column(0, pl.lit(name).alias("protocol"))
                .with_columns(*([pl.lit(units[name]).alias("unit")] if told else []))
                for name, cell in self.cells.items()
            ]
        )


def candidate(name: str, found: ComparisonResult) -> Candidate:
    """How a protocol did in a symmetric comparison with controls."""
    assay = found.assay
    assert assay is not None
    return Candidate(
        name=name,
        regions=found.protocol.describe()["regions"],
        replacement=found.protocol.replacement,
        score=found.protocol.unit,
        removed=float(found.morf[REFERENCE].removed_in_the_end.mean()),
        separation=assay.separation,
        halves=_agreement(found.halves),
        taken=assay.taken,
        evaluations=found.work.evaluations,
        scattered=leaning(found.halves, [name for name in found.controls if kind_of_control(name) in MUST_BEAT]),
        detected=tuple(assay.detected),
        r_oms=_r_oms(found),
    )


def _r_oms(found: ComparisonResult) -> float:
    """Mean over images; NaN where the random order's probability is not known to the end."""
    others = found.found.others.get(IN_SCOPE, {})
    curves = found.morf[REFERENCE] if found.protocol.score == IN_SCOPE else others.get((REFERENCE, "random"))
    return float(r_oms(curves).mean()) if curves is not None and ALL_REGIONS.holds(curves) else nan


def _agreement(halves: tuple[Values, Values]) -> float:
    """Kendall's τ of the maps' ranking by MoRF gain and by LeRF gain."""
    if len(halves[0]) == 1:
        return float("nan")
    return kendall_tau(*(np.array([values.mean() for values in half.values()]) for half in halves))
