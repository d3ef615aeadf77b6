"""What studies of heatmaps alone have in common: two tables more, and how they are saved."""

from typing import Any

from heatproof.report import Table
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class HeatmapsStudy(Study):
    """The result of a study of heatmaps of which nothing is removed."""

    told: Any
    found: Any

    def intervals_table(self) -> Table:
        """Means with 95 % intervals, the best first."""
        table: Table = self.told.intervals_table(self)
        return table

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        table: Table = self.told.differences_table(self)
        return table

    def keep(self, store: Store) -> None:
        """Writes shards and heatmaps, as a run does."""
        save_shards(self.found, store)
