"""The stability of heatmaps: its results, with tables, figures, a page, and a run directory."""

from heatproof.report.studies import stability
from heatproof.results.stability import StabilityResult
from heatproof.studies.heatmaps_study import HeatmapsStudy


class Stability(StabilityResult, HeatmapsStudy):
    """How much the heatmaps of several methods change with the image where the score hardly does.

    ``table()`` has the means of each method, the most stable under noise first: the change (lower is more stable) and
    the rank correlation (higher is) under noise and under shifts.

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.stability(…)"
    told = stability
