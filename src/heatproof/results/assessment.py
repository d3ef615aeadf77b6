"""What the heatmaps of several checkpoints say about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.measures import Estimate
from heatproof.measures.quality import ALONE, CONTROLS, QUALITIES, SCORES, Perturbed, series_of
from heatproof.measures.recurrence import Place, recurring_place
from heatproof.measures.series import Series, partial_rank_correlation, rank_correlation
from heatproof.perturbation.engine import least_on_windows
from heatproof.perturbation.regions import grid_side
from heatproof.results.cells import CellsResult
from heatproof.results.comparison import ComparisonResult
from heatproof.results.part import REFERENCE
from heatproof.results.work import Work
from heatproof.runs.serialization import scores_frame

ACCURACY, CONFIDENCE = "accuracy", "mean confidence"
FEWEST = 5  # checkpoints; of fewer, a partial rank correlation is left to chance


@dataclass(frozen=True)
class Checkpoint:
    """What was found of one checkpoint on N images.

    Attributes:
        network: its description, with a hash of the weights.
        perturbed: its curves.
        heatmaps: (n, H, W) of the first images.
        conservation: what became of the score, if the method was LRP.
        right: (N,) whether the predicted class is the true one, where labels are known.
    """

    network: Mapping[str, Any]
    perturbed: Perturbed
    heatmaps: Tensor
    conservation: Conservation | None
    right: np.ndarray | None

    @classmethod
    def of(cls, cell: ComparisonResult, method: str, labels: Mapping[str, int] | None = None) -> Self:
        """What a comparison of one method in all scores found; labels are by image."""
        walks = {cell.protocol.score: cell.found.walks()} | cell.found.others
        return cls(
            network=cell.network,
            perturbed=Perturbed(
                {score: walks[score][method, "morf"] for score in SCORES},
                {score: walks[score][REFERENCE, "random"] for score in SCORES},
            ),
            heatmaps=cell.shown.heatmaps[method],
            conservation=cell.conservation.get(method),
            right=np.array([labels[name] for name in cell.names]) == cell.found.targets.numpy() if labels else None,
        )


@dataclass(frozen=True)
class AssessmentResult(CellsResult):
    """What the heatmaps of several checkpoints say about them; ``studies.Assessment`` says what its attributes are."""

    cells: Mapping[str, ComparisonResult]
    method: str
    topology: str
    labels: Mapping[str, int] | None = None

    @cached_property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """What was found of each, by name."""
        return {name: Checkpoint.of(cell, self.method, self.labels) for name, cell in self.cells.items()}

    @property
    def work(self) -> Work:
        """How much was evaluated, how long it took, and by which engine (where it spared least)."""
        parts = [cell.work for cell in self.cells.values()]
        return Work.of_all(parts, least_on_windows([part.engine for part in parts]))

    @cached_property
    def series(self) -> dict[str, Series]:
        """Each quantity over the checkpoints, by name; where labels are known, the accuracy too. Higher is better."""
        found = [checkpoint.perturbed for checkpoint in self.checkpoints.values()]
        series = {name: series_of(quantity, found) for name, quantity in (QUALITIES | ALONE | CONTROLS).items()}
        right = [checkpoint.right for checkpoint in self.checkpoints.values() if checkpoint.right is not None]
        return series | ({ACCURACY: Series(np.stack(right).astype(np.float64))} if right else {})

    @cached_property
    def estimates(self) -> dict[str, list[Estimate]]:
        """Values of each quantity for all checkpoints, with 95 % intervals over images."""
        return {name: series.estimates() for name, series in self.series.items()}

    @cached_property
    def rank_correlations(self) -> dict[str, Estimate]:
        """Spearman's, of each quantity with the accuracy; empty without labels or with fewer than three checkpoints."""
        if ACCURACY not in self.series or len(self.checkpoints) < 3:
            return {}
        accuracy = self.series[ACCURACY]
        return {name: rank_correlation(self.series[name], accuracy) for name in self.series if name != ACCURACY}

    @cached_property
    def partial_correlations(self) -> dict[str, Estimate]:
        """As ``rank_correlations``, given the mean confidence: what each quantity says of the accuracy beyond it.

        Empty without labels or with fewer than five checkpoints.
        """
        if not self.rank_correlations or len(self.checkpoints) < FEWEST:
            return {}
        accuracy, confidence = self.series[ACCURACY], self.series[CONFIDENCE]
        names = [name for name in self.rank_correlations if name != CONFIDENCE]
        return {name: partial_rank_correlation(self.series[name], accuracy, confidence) for name in names}

    @cached_property
    def places(self) -> dict[str, Place]:
        """For each checkpoint, where the most relevant region lies most often, far from the middle of the image.

        Empty where regions are no grid, or one of fewer than 8 × 8 regions.
        """
        found: dict[str, Place] = {}
        for name, checkpoint in self.checkpoints.items():
            height, width = checkpoint.heatmaps.shape[-2:]
            side = grid_side(self.protocol.regions, height, width)
            first = checkpoint.perturbed.morf[SCORES[0]].first_regions.numpy()
            place = None if side is None else recurring_place(first, height // side, width // side)
            found |= {} if place is None else {name: place}
        return found

    @cached_property
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each checkpoint, score, image, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

    def about(self) -> dict[str, Any]:
        """What the study is made from beside its cells, as JSON-able values."""
        return {"method": self.method, "topology": self.topology, "labels": self.labels and dict(self.labels)}

    def frame(self) -> pl.DataFrame:
        """Scores of every checkpoint, score, image, order, repeat and step."""
        return pl.concat(
            scores_frame({self.method: curves}, self.names).with_columns(
                pl.lit(name).alias("checkpoint"), pl.lit(score).alias("of")
            )
            for name, checkpoint in self.checkpoints.items()
            for by_score in (checkpoint.perturbed.morf, checkpoint.perturbed.random)
            for score, curves in by_score.items()
        )
