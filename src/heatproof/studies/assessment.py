"""Checkpoints compared by their heatmaps: the results, with tables, figures, a page, and a run directory."""

from matplotlib.figure import Figure

from heatproof.report import Table, figure_of
from heatproof.report.studies import assessment
from heatproof.results.assessment import AssessmentResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_cells
from heatproof.studies.study import Study


class Assessment(AssessmentResult, Study):
    """What the heatmaps of several checkpoints say about them.

    ``table()`` has every quantity of every checkpoint, in the order given; higher is better.

    Attributes:
        cells: one comparison for each checkpoint, in the order given.
        method: of the heatmaps.
        topology: name of the network.
        labels: true class indices by name of the image, if known.
    """

    code = "study = hp.assess(…)"
    told = assessment

    def intervals(self) -> Table:
        """Every quantity of every checkpoint with its 95 % interval over images."""
        return assessment.intervals_table(self)

    def correlations(self) -> Table:
        """Spearman's rank correlation of each quantity with the accuracy, with its 95 % interval over images.

        The columns "given the confidence" are partial rank correlations, the mean confidence held fixed: what a
        quantity adds to it. They are empty for fewer than five checkpoints.
        """
        return assessment.correlations_table(self)

    def training_figure(self) -> Figure:
        """Each quantity over the checkpoints, and the accuracy beside it, as in Figure 7 of [Samek2017]."""
        return figure_of(assessment.training_chart(self))

    def gallery_figure(self) -> Figure:
        """The first images with their heatmaps at some of the checkpoints."""
        return figure_of(assessment.gallery(self))

    def keep(self, store: Store) -> None:
        """Writes each cell as a run below the study's."""
        save_cells(self, "assess", store)
