"""The complexity of heatmaps: its results, with tables, figures, a page, and a run directory."""

from heatproof.report import Table
from heatproof.report.studies import complexity
from heatproof.results.complexity import ComplexityResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class Simplicity(ComplexityResult, Study):
    """How complex the heatmaps of several methods are.

    ``table()`` has the means of each method, smallest PNG files first: of file sizes and entropy (lower is simpler),
    and of the Gini coefficient (higher is simpler).

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.complexity(…)"
    told = complexity

    def intervals_table(self) -> Table:
        """Means with 95 % intervals, simplest first."""
        return complexity.intervals_table(self)

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return complexity.differences_table(self)

    def keep(self, store: Store) -> None:
        """Writes shards and heatmaps, as a run does."""
        save_shards(self.found, store)
