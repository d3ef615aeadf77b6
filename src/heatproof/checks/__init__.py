"""A contract suite for anyone's heatmap method, metric, or heatmaps.

What is checked runs on networks and images that the suite makes itself, so that the right answer is known.
"""

from heatproof.checks.findings import Check, Checked
from heatproof.checks.maps import check_maps, read_maps
from heatproof.checks.methods import check_method
from heatproof.checks.metric_claims import MetricClaims
from heatproof.checks.metrics import check_metric
from heatproof.heatmaps.naming import load_callable

__all__ = [
    "Check",
    "Checked",
    "MetricClaims",
    "check_maps",
    "check_method",
    "check_metric",
    "load_callable",
    "read_maps",
]
