"""How well heatmaps find what was planted: the results, with tables, figures, a page, and a run directory."""

import polars as pl

from heatproof.report import Table
from heatproof.report.studies import planted
from heatproof.results.planted import PlantedResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_shards
from heatproof.studies.study import Study


class PlantedTruth(PlantedResult, Study):
    """How well the heatmaps of several methods find what was planted.

    ``table()`` has, for each method, the share of positive relevance in the right place and how often the largest value
    lies there, with 95 % intervals over pictures and tests against chance; higher is better. ``estimates["share"]`` has
    the same means with their intervals by method.

    Attributes:
        found: of which nothing was removed: what was measured of each heatmap.
        planted: what lies where.
    """

    code = "truth = hp.planted(…)"
    told = planted

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return planted.differences_table(self)

    def frames(self) -> dict[str, pl.DataFrame]:
        """Also what lies where."""
        return {"scores": self.frame(), "places": self.places_frame()}

    def keep(self, store: Store) -> None:
        """Writes shards, heatmaps and what was planted, as a run does."""
        save_shards(self.found, store, self.planted)
