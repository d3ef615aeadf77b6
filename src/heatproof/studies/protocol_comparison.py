"""The comparison of protocols: its results, with tables, figures, a page, and a run directory."""

from heatproof.report.studies import protocols
from heatproof.results.protocol_comparison import ProtocolResult
from heatproof.runs.objects import Store
from heatproof.studies.road.saving import save_cells
from heatproof.studies.study import Study


class ProtocolComparison(ProtocolResult, Study):
    """Which protocols can judge on a network, and which of them tells maps from controls most clearly.

    ``table()`` has a row for each protocol, the clearest first: its separation (higher is better), the agreement of its
    halves, how much the random order takes, R-OMS, and whether it can judge.

    Attributes:
        cells: one symmetric comparison for each protocol.
        method: name of the first method.
    """

    code = "study = hp.compare_protocols(…)"
    told = protocols

    def keep(self, store: Store) -> None:
        """Writes each cell as a run below the study's."""
        save_cells(self, "protocol", store)
