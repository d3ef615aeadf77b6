"""The comparison of replacements: its results, with tables, figures, a page, and a run directory."""

from matplotlib.figure import Figure

from heatproof.report import Table, figure_of
from heatproof.report.studies import replacements
from heatproof.results.replacement_comparison import ReplacementResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_cells
from heatproof.studies.study import Study


class ReplacementComparison(ReplacementResult, Study):
    """What a comparison of replacements found.

    ``table()`` has the ABPC of each replacement, the largest first (higher is better), and the AOPC of both curves.

    Attributes:
        cells: one comparison for each replacement.
        method: name of the heatmaps' method.
    """

    code = "study = hp.compare_replacements(…)"
    told = replacements

    def differences_table(self) -> Table:
        """Paired differences of ABPC between replacements, with intervals and corrected p-values."""
        return replacements.differences_table(self)

    def areas_figure(self) -> Figure:
        """MoRF and LeRF curves of each replacement with the area between them, as in Figure 8 of [Samek2017]."""
        return figure_of(replacements.areas_chart(self))

    def examples_figure(self) -> Figure:
        """The first images after all steps, most relevant regions first, with each replacement."""
        return figure_of(replacements.examples(self))

    def keep(self, store: Store) -> None:
        """Writes each cell as a run below the study's."""
        save_cells(self, "replacements", store)
