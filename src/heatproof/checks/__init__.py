"""A contract suite for anyone's heatmap method, maps, metric, or published curve.

What is checked runs on networks and images that the suite makes itself, so that the right answer is known.
"""

from heatproof.checks.findings import Check, Checked
from heatproof.checks.maps import check_maps
from heatproof.checks.methods import check_method
from heatproof.checks.metrics import check_metric
from heatproof.checks.published import check_curve
from heatproof.checks.subjects import load_callable, read_curve, read_maps

__all__ = [
    "Check",
    "Checked",
    "check_curve",
    "check_maps",
    "check_method",
    "check_metric",
    "load_callable",
    "read_curve",
    "read_maps",
]
