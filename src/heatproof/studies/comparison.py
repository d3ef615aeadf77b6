"""The result of comparing methods: tables, figures, a page, and a run directory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.measures import aopc
from heatproof.perturbation import Curves, Protocol
from heatproof.report import Band, Table, curves_figure, draw_curves, gallery_figure
from heatproof.report.page import Page
from heatproof.runs.objects import Store
from heatproof.runs.serialization import SCHEMA, environment, scores_frame
from heatproof.studies.audited import Audit
from heatproof.studies.bands import counted_steps, relative_bands, score_band
from heatproof.studies.contrast import contrasts_table
from heatproof.studies.controls import unbeaten_controls
from heatproof.studies.measured import Measured, estimates, measures_frame, measures_table
from heatproof.studies.pages import comparison_page
from heatproof.studies.parts import Part
from heatproof.studies.racing import Settlement
from heatproof.studies.shown import Chosen
from heatproof.studies.study import Study, depends_on
from heatproof.studies.task import REFERENCE
from heatproof.studies.verdict import Ranking, rank, verdict
from heatproof.studies.work import Work

GALLERY_IMAGES = 6  # on paper
ABOVE = "AOPC above random order"
P_VALUES = "p: of the sign-flip test against the random order, corrected for the number of methods (Holm). "


@dataclass(frozen=True)
class Comparison(Study):
    """What a comparison of heatmap methods found.

    Attributes:
        network: description of the network, with a hash of its weights.
        shown: the pictures of the page, with their heatmaps.
        found: names, classes, curves, heatmaps and measures of all images.
        protocol: how regions were removed and scored.
        plan: what was done with each image, as JSON-able values.
        audit: whether the ranking depends on how regions are removed and scored, if that was asked.
        settlement: how it ended, if images were added until it was settled; methods may then have the first ones only.
        skipped: names of pictures that could not be used, each with the reason.
        notes: what else a reader must know.
        work: how much was evaluated, how long it took, and by which engine.
        set_aside: errors of shards that could not be computed, if it is a run of shards.
    """

    code = "study = hp.compare(…)"

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

    @property
    def names(self) -> tuple[str, ...]:
        """(N) of the images."""
        return self.found.names

    @property
    def classes(self) -> tuple[str, ...]:
        """(N) names of the target classes."""
        return self.found.classes

    @property
    def heatmaps(self) -> dict[str, Tensor]:
        """(N, H, W) by method."""
        return self.found.heatmaps

    @property
    def morf(self) -> dict[str, Curves]:
        """By method, the most relevant regions removed first, and of the random order."""
        return self.found.curves

    @cached_property
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each image, method, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

    @property
    def lerf(self) -> dict[str, Curves]:
        """By method, the least relevant regions removed first, if that was asked for."""
        return self.found.lerf

    @property
    def conservation(self) -> dict[str, Conservation]:
        """What became of the score, by LRP method."""
        return self.found.conservation

    @cached_property
    def ranking(self) -> Ranking:
        """Methods by AOPC, with paired intervals."""
        values = {name: aopc(curves).double().numpy() for name, curves in self.morf.items()}
        return rank(values, REFERENCE, self.settlement.judge) if self.settlement else rank(values, REFERENCE)

    @property
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence after the other."""
        return [*self.main_verdict, *(self.audit.verdict if self.audit else [])]

    @property
    def main_verdict(self) -> list[str]:
        """The same without what the audit says."""
        return [*verdict(self.ranking), *(self.settlement.verdict if self.settlement else [])]

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        found = [*self.notes]
        for method, conservation in self.conservation.items():
            found += conservation.warnings(method)
        if self.ranking.count > 1:
            found += unbeaten_controls(self.ranking)
        if self.audit:
            found += self.audit.warnings
        return [*found, *self.left_out()]

    def table(self) -> Table:
        """AOPC of each method, absolute and relative to the random order, best first; higher is better."""
        ranking = self.ranking
        rows: list[tuple[str | float | None, ...]] = []
        for name, value in ranking.aopc.items():
            relative = ranking.relative.get(name)
            kept = self.conservation.get(name)
            above = (relative.estimate.mean, relative.estimate.low, relative.estimate.high) if relative else (None,) * 3
            share = round(float(np.median(kept.kept)), 3) + 0.0 if kept else None  # no −0
            tested = relative.sign_flip if relative else None
            decided = tested if ranking.tested else ranking.counts[name]
            rows.append((name, value.mean, value.low, value.high, *above, decided, share))
        last = ("p" if ranking.tested else "images", "kept")
        columns = ("method", "AOPC", "low", "high", "above random", "above low", "above high", *last)
        note = (
            f"AOPC over {counted_steps(self.morf[REFERENCE])} in units of the {self.protocol.score}, mean over "
            f"{ranking.count} images and repeats ({self.protocol.repeats}), with 95 % intervals; higher is better. "
            f"{P_VALUES if ranking.tested else ''}Kept: the share of the score that LRP brings to the pixels (median)."
        )
        return Table(columns, tuple(rows), (note,))

    @property
    def measured(self) -> Measured:
        """Every measure that the curves allow, of each image (n,), by method and measure, best method first."""
        return {name: self.found.measured[name] for name in self.ranking.methods}

    def measures_table(self) -> Table:
        """Every measure of every method, with its interval and direction."""
        return measures_table(estimates(self.measured))

    def differences_table(self) -> Table:
        """Paired differences of AOPC between methods, with intervals and corrected p-values."""
        return contrasts_table(self.ranking.differences, ("higher", "lower"))

    def frame(self) -> pl.DataFrame:
        """Scores of every image, method, repeat and step."""
        frames = [scores_frame(curves, self.names) for curves in (self.morf, self.lerf) if curves]
        return pl.concat(frames)

    def figures(self) -> dict[str, Figure]:
        """The figures, by file name."""
        found = {
            "curves-relative": self.relative_figure(),
            "curves": self.absolute_figure(),
        }
        if self.shown.numbers:
            found["gallery"] = self.gallery_figure()
        return found | ({"audit": self.audit.figure()} if self.audit else {})

    def main_figure(self) -> Figure:
        """``relative_figure``."""
        return self.relative_figure()

    def relative_figure(self) -> Figure:
        """AOPC(L) minus that of the random order, with pointwise 95 % bands (higher is better)."""
        return self._curves_figure(relative_bands(self.morf, REFERENCE), "AOPC relative to the random order", ABOVE)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curves of ``relative_figure`` on matplotlib axes, of pyplot if none are given; returns the axes."""
        if ax is None:
            from matplotlib import pyplot  # with a state of its own, so only when asked

            ax = pyplot.subplots()[1]
        draw_curves(ax, relative_bands(self.morf, REFERENCE), ylabel=ABOVE, removed_fraction=self._removed)
        return ax

    def absolute_figure(self) -> Figure:
        """The mean score while regions are removed, most relevant first (a steeper fall is better)."""
        bands = [score_band(name, curves, is_reference=name == REFERENCE) for name, curves in self.morf.items()]
        return self._curves_figure(bands, "Score while regions are removed", f"score ({self.protocol.score})")

    def gallery_figure(self) -> Figure:
        """The first of the pictures that the page shows, with their heatmaps."""
        few = self.shown.first(GALLERY_IMAGES)
        captions = [f"{Path(self.names[number]).name}\n{self.label(number)}" for number in few.numbers]
        return gallery_figure(few.colours, {name: maps.numpy() for name, maps in few.heatmaps.items()}, captions)

    def label(self, number: int) -> str:
        """What the network sees in an image, and its score."""
        return f"{self.classes[number]} ({float(self.morf[REFERENCE].scores[number, 0, 0]):.1f})"

    def describe(self) -> dict[str, Any]:
        """Everything about the run but its arrays, as JSON-able values."""
        return {
            "schema": SCHEMA,
            "study": "compare",
            "network": dict(self.network),
            "protocol": self.protocol.describe() | {"steps": self.morf[REFERENCE].orders.shape[-1]},
            "methods": list(self.heatmaps),
            "images": dict(zip(self.names, self.identities, strict=True)),
            "skipped": [{"image": name, "reason": reason} for name, reason in self.skipped],
            "complete": not self.skipped and not self.set_aside,
            "verdict": self.verdict,
            "warnings": self.warnings,
            "conservation": {name: found.summary() for name, found in self.conservation.items()},
            "audit": self.audit and self.audit.describe(),
            "settlement": self.settlement and self.settlement.describe(),
            "measures": {
                method: {name: asdict(value) for name, value in values.items()}
                for method, values in estimates(self.measured).items()
            },
            "work": self.work.describe(),
            **environment(),
        }

    def _curves_figure(self, bands: list[Band], title: str, ylabel: str) -> Figure:
        return curves_figure(bands, title=title, ylabel=ylabel, removed_fraction=self._removed)

    @property
    def _removed(self) -> np.ndarray:
        """(L + 1,) share of the image that is removed after each step."""
        removed: np.ndarray = self.morf[REFERENCE].removed_fraction.mean(dim=(0, 1)).numpy()
        return removed

    def write(self, store: Store, *, reproduce: str = "") -> None:
        """Writes it as a run, as the command does."""
        from heatproof.studies.road.saving import save_comparison  # which knows what a comparison is

        save_comparison(self, store, reproduce=reproduce)

    def _frames(self) -> dict[str, pl.DataFrame]:
        measures = {"measures": measures_frame(self.measured, self.names)}
        return super()._frames() | measures | ({"audit": self.audit.frame()} if self.audit else {})

    @property
    def identities(self) -> tuple[str, ...]:
        """(N) hashes of the images' pixels."""
        return max((curves.images for curves in self.morf.values()), key=len)

    def _saved_heatmaps(self) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
        return self.heatmaps, self.names

    def _page(self, figures: Mapping[str, Figure]) -> Page:
        return comparison_page(self, figures)

    def _depends_on(self) -> str:
        return depends_on(self.protocol.seed, len(self.names), self.network)
