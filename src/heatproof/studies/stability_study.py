"""The stability of heatmaps: its results, with tables, figures, a page, and a run directory."""

from heatproof.report import Table
from heatproof.report.studies import stability
from heatproof.results.stability import StabilityResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class Stability(StabilityResult, Study):
    """How much the heatmaps of several methods change with the image where the score hardly does.

    ``table()`` has the means of each method, the most stable under noise first: the change (lower is more stable) and
    the rank correlation (higher is) under noise and under shifts.

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.stability(…)"
    told = stability

    def intervals_table(self) -> Table:
        """Means with 95 % intervals, most stable first."""
        return stability.intervals_table(self)

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return stability.differences_table(self)

    def keep(self, store: Store) -> None:
        """Writes shards and heatmaps, as a run does."""
        save_shards(self.found, store)
