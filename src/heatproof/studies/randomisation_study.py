"""Heatmaps while weights are shuffled: the results, with tables, figures, a page, and a run directory."""

from heatproof.report import Table
from heatproof.report.studies import randomisation
from heatproof.results.randomisation import RandomisationResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class Randomisation(RandomisationResult, Study):
    """How the heatmaps of several methods follow the weights, which are shuffled from the output to the input.

    ``table()`` has the mean rank correlation of each method with its heatmaps of the untouched network; lower follows
    the weights. ``curves`` has it for each image and step.

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.randomisation(…)"
    told = randomisation

    def intervals_table(self) -> Table:
        """Means with 95 % intervals, the lowest first."""
        return randomisation.intervals_table(self)

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return randomisation.differences_table(self)

    def keep(self, store: Store) -> None:
        """Writes shards and heatmaps, as a run does."""
        save_shards(self.found, store)
