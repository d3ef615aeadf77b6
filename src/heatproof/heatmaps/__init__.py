"""Network, images, classes → heatmaps. Importing a method's file registers it."""

from heatproof.heatmaps import gradients, lrp  # noqa: F401 - imported to register
from heatproof.heatmaps.conservation import Conservation
from heatproof.heatmaps.control_methods import controls
from heatproof.heatmaps.explaining import Explained, check_heatmaps, explain, explain_batches
from heatproof.heatmaps.methods import METHODS, WRAPPERS

__all__ = [
    "METHODS",
    "WRAPPERS",
    "Conservation",
    "Explained",
    "check_heatmaps",
    "controls",
    "explain",
    "explain_batches",
]
