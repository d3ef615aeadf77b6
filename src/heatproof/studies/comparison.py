"""The comparison of methods: its results, with tables, figures, a page, and a run directory."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatproof.report import Table, figure_of
from heatproof.report.curves import draw_curves
from heatproof.report.studies import comparison, tuning
from heatproof.results.comparison import ComparisonResult
from heatproof.results.measured import estimates, measures_frame
from heatproof.results.tuning import tuned_methods
from heatproof.runs.objects import PLANTED_RUN, Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class Comparison(ComparisonResult, Study):
    """What a comparison of heatmap methods found.

    ``table()`` has the AOPC of each method, absolute and relative to the random order, best first; higher is better.

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
        choice: of the protocol, if it was chosen on a pilot; its images are not among those of the study.
        truth: how well the methods find what was planted, if that was asked.
        rounding: what evaluating in another precision than float32 changed, where that was asked.
    """

    code = "study = hp.compare(…)"
    told = comparison

    def measures_table(self) -> Table:
        """Every measure of every method, with its interval and direction."""
        return comparison.measures_table(estimates(self.measured))

    def differences_table(self) -> Table:
        """Paired differences of AOPC between methods, with intervals and corrected p-values."""
        return comparison.differences_table(self)

    def tuning_table(self) -> Table:
        """What choosing among variants is worth, of methods that were given with alternatives: promised, held out."""
        return tuning.table(tuned_methods(self))

    def relative_figure(self) -> Figure:
        """AOPC(L) minus that of the random order, with pointwise 95 % bands (higher is better)."""
        return figure_of(comparison.relative_chart(self))

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curves of ``relative_figure`` on matplotlib axes, of pyplot if none are given; returns the axes."""
        if ax is None:
            from matplotlib import pyplot  # with a state of its own, so only when asked

            ax = pyplot.subplots()[1]
        draw_curves(ax, comparison.relative_chart(self))
        return ax

    def absolute_figure(self) -> Figure:
        """The mean score while regions are removed, most relevant first (a steeper fall is better)."""
        return figure_of(comparison.score_chart(self))

    def gallery_figure(self) -> Figure:
        """The first of the pictures that the page shows, with their heatmaps."""
        return figure_of(comparison.gallery(self))

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every measure of every image, and every score of the audit; a run keeps the curves themselves."""
        measures = {"measures": measures_frame(self.measured, self.names)}
        return measures | ({"audit": self.audit.frame()} if self.audit else {})

    def keep(self, store: Store) -> None:
        """Writes shards, heatmaps and the audit, as a run does."""
        save_shards(self, store)
        if isinstance(self.truth, Study):
            self.truth.keep(store.within(PLANTED_RUN))
