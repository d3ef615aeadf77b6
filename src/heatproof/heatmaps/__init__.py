"""Network, images, classes → heatmaps. Importing a method's file registers it."""

from heatproof.heatmaps import gradient_x_input, lrp, random, sensitivity  # noqa: F401 - imported to register
from heatproof.heatmaps.conservation import Conservation
from heatproof.heatmaps.explaining import Explained, check_heatmaps, explain, explain_batches
from heatproof.heatmaps.methods import METHODS

__all__ = ["METHODS", "Conservation", "Explained", "check_heatmaps", "explain", "explain_batches"]
