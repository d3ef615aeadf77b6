"""The result of judging checkpoints by their heatmaps: tables, a figure, a page, and a run directory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.measures import Estimate
from heatproof.measures.quality import ALONE, CONTROLS, QUALITIES, SCORES, Perturbed, series_of
from heatproof.measures.series import Series, rank_correlation
from heatproof.perturbation import Curves
from heatproof.perturbation.engine import least_on_windows
from heatproof.report import Band, Table, gallery_figure, series_figure
from heatproof.report.page import Page
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import environment, scores_frame
from heatproof.studies.cells import OfCells
from heatproof.studies.comparison import Comparison
from heatproof.studies.merit import merit
from heatproof.studies.pages import assessment_page
from heatproof.studies.study import depends_on
from heatproof.studies.task import REFERENCE
from heatproof.studies.work import Work

ACCURACY = "accuracy"
GALLERY_IMAGES, GALLERY_CHECKPOINTS = 4, 6
FEW_REGIONS = 25
MANY = 0.5  # the share of the image from which on it is mostly gone
PAPER = 0.16  # the share that [Samek2017] removes
UNITS = {
    "AOPC": "logits",
    "above random": "logits",
    "relative drop": "share of the logit",
    "standardised": "deviations",
    "probability": "above random",
    "mean logit": "untouched images",
}


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
    def of(cls, cell: Comparison, method: str, labels: Mapping[str, int] | None = None) -> Self:
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
class Assessment(OfCells):
    """What the heatmaps of several checkpoints say about them.

    Attributes:
        cells: one comparison for each checkpoint, in the order given.
        method: of the heatmaps.
        topology: name of the network.
        labels: true class indices by name of the image, if known.
    """

    code = "study = hp.assess(…)"

    cells: Mapping[str, Comparison]
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
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each checkpoint, score, image, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

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

    @property
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence after the other."""
        return merit(list(self.checkpoints), self.series, self.rank_correlations, len(self.names))

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        found = [*self.notes]
        regions = int(self._curves.orders.max()) + 1
        if regions < FEW_REGIONS:
            found.append(f"there are only {regions} regions in an image; smaller ones (regions) order more finely")
        removed = float(self._curves.removed_fraction[..., -1].mean())
        if removed > MANY:
            found.append(
                f"{removed:.0%} of the image are removed: what is said of a mostly removed image counts as much as the "
                f"first steps; the paper removes {PAPER:.0%}, here steps={max(1, round(PAPER / removed * self.steps))}"
            )
        leaks = {
            name: checkpoint.conservation
            for name, checkpoint in self.checkpoints.items()
            if checkpoint.conservation and checkpoint.conservation.warnings(self.method)
        }
        if leaks:
            name, worst = max(leaks.items(), key=lambda item: abs(float(np.median(item[1].kept)) - 1))
            found += [f"{name}: {text}" for text in worst.warnings(self.method)]
        return [*found, *self.left_out()]

    def table(self) -> Table:
        """Every quantity of every checkpoint, in the order given; higher is better."""
        shown = [ACCURACY] if ACCURACY in self.series else []
        shown += [*QUALITIES, *CONTROLS]
        values = np.stack([self.series[name].values() for name in shown], axis=1)
        rows = tuple((name, *row) for name, row in zip(self.checkpoints, values.tolist(), strict=True))
        note = (
            f"Means over {len(self.names)} images and repeats ({self.protocol.repeats}), {self.steps} steps, heatmaps "
            f"by {self.method}; higher is better. AOPC and above random are in logits, and grow with them. Above "
            "random, as the three columns after it: AOPC minus that of the random order; relative drop: as a share of "
            "the mean logit; standardised: of the logit in standard deviations over the classes; probability: of the "
            "probability. Mean logit and mean confidence are of untouched images."
        )
        return Table(("checkpoint", *shown), rows, (note,))

    def intervals(self) -> Table:
        """Every quantity of every checkpoint with its 95 % interval over images."""
        rows = tuple(
            (name, quantity, value.mean, value.low, value.high)
            for quantity, values in self.estimates.items()
            for name, value in zip(self.checkpoints, values, strict=True)
        )
        return Table(("checkpoint", "quantity", "value", "low", "high"), rows)

    def correlations(self) -> Table:
        """Spearman's rank correlation of each quantity with the accuracy, with its 95 % interval over images."""
        rows = tuple((name, value.mean, value.low, value.high) for name, value in self.rank_correlations.items())
        note = (
            f"Over {len(self.checkpoints)} checkpoints; bootstrap over {len(self.names)} images, the same for all. "
            "Alone: the random order is not subtracted, so what any removal takes counts too."
        )
        return Table(("quantity", "rank correlation", "low", "high"), rows, (note,))

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

    def figures(self) -> dict[str, Figure]:
        """The figures, by file name."""
        return {"training": self.training_figure(), "gallery": self.gallery_figure()}

    def main_figure(self) -> Figure:
        """``training_figure``."""
        return self.training_figure()

    def training_figure(self) -> Figure:
        """Each quantity over the checkpoints, and the accuracy beside it, as in Figure 7 of [Samek2017]."""
        return series_figure(
            self.bands,
            list(self.checkpoints),
            title=f"{self.topology}: what removing the regions takes that {self.method} calls relevant",
            beside=self.accuracy_band,
        )

    @property
    def bands(self) -> list[Band]:
        """Each quantity over the checkpoints, with its unit."""
        return [self._band(name, f"{name} ({UNITS[name]})") for name in (*QUALITIES, "mean logit")]

    @property
    def accuracy_band(self) -> Band | None:
        """The accuracy over the checkpoints, where labels are known."""
        return self._band(ACCURACY, ACCURACY) if ACCURACY in self.series else None

    @property
    def colours(self) -> np.ndarray:
        """(n, H, W, 3) the first images in [0, 1]."""
        return self.first.shown.first(GALLERY_IMAGES).colours

    def gallery_figure(self) -> Figure:
        """The first images with their heatmaps at some of the checkpoints."""
        chosen = np.linspace(0, len(self.checkpoints) - 1, min(len(self.checkpoints), GALLERY_CHECKPOINTS)).round()
        maps = {name: self.checkpoints[name].heatmaps for name in np.array([*self.checkpoints])[chosen.astype(int)]}
        images = self.colours
        captions = [Path(self.names[number]).name for number in self.first.shown.numbers[: len(images)]]
        return gallery_figure(images, {name: found[: len(images)].numpy() for name, found in maps.items()}, captions)

    def describe(self) -> dict[str, Any]:
        """Everything about the run but its arrays, as JSON-able values."""
        scores = list(next(iter(self.checkpoints.values())).perturbed.morf)
        return {
            "schema": SCHEMA,
            "study": "assess",
            "topology": self.topology,
            "checkpoints": {
                name: dict(checkpoint.network)
                | {"conservation": checkpoint.conservation.summary() if checkpoint.conservation else None}
                for name, checkpoint in self.checkpoints.items()
            },
            "method": self.method,
            "protocol": self.protocol.describe() | {"score": scores, "steps": self.steps},
            "estimates": {name: [asdict(value) for value in values] for name, values in self.estimates.items()},
            "rank_correlations_with_accuracy": {name: asdict(value) for name, value in self.rank_correlations.items()},
            **self.described_images(),
            "verdict": self.verdict,
            "warnings": self.warnings,
            "work": self.work.describe(),
            **environment(),
        }

    @property
    def _curves(self) -> Curves:
        """Some of the curves: images, steps and regions are the same for all."""
        return next(iter(self.checkpoints.values())).perturbed.random["logit"]

    def _band(self, name: str, label: str) -> Band:
        values = self.estimates[name]
        middle, low, high = np.array([(value.mean, value.low, value.high) for value in values]).T
        return Band(label, middle, low, high)

    def about(self) -> dict[str, Any]:
        """Method, topology and labels."""
        return {"method": self.method, "topology": self.topology, "labels": self.labels and dict(self.labels)}

    def _page(self, figures: Mapping[str, Figure]) -> Page:
        return assessment_page(self, figures)

    def _depends_on(self) -> str:
        *_, last = self.checkpoints.values()
        return depends_on(self.protocol.seed, len(self.names), last.network)
