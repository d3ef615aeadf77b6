"""The complexity of heatmaps: its results, with tables, figures, a page, and a run directory."""

from heatproof.report.studies import complexity
from heatproof.results.complexity import ComplexityResult
from heatproof.studies.heatmaps_study import HeatmapsStudy


class Simplicity(ComplexityResult, HeatmapsStudy):
    """How complex the heatmaps of several methods are.

    ``table()`` has the means of each method, smallest PNG files first: of file sizes and entropy (lower is simpler),
    and of the Gini coefficient (higher is simpler).

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.complexity(…)"
    told = complexity
