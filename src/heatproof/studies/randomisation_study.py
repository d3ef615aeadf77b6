"""Heatmaps while weights are shuffled: the results, with tables, figures, a page, and a run directory."""

from heatproof.report.studies import randomisation
from heatproof.results.randomisation import RandomisationResult
from heatproof.studies.heatmaps_study import HeatmapsStudy


class Randomisation(RandomisationResult, HeatmapsStudy):
    """How the heatmaps of several methods follow the weights, which are shuffled from the output to the input.

    ``table()`` has the mean rank correlation of each method with its heatmaps of the untouched network; lower follows
    the weights. ``curves`` has it for each image and step.

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.randomisation(…)"
    told = randomisation
