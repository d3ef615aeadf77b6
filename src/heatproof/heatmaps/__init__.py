"""Network, images, classes → heatmaps."""

from heatproof.heatmaps.conservation import Conservation
from heatproof.heatmaps.control_methods import controls
from heatproof.heatmaps.explaining import Explained, check_heatmaps, explain, explain_batches
from heatproof.heatmaps.methods import METHODS, WRAPPERS
from heatproof.registry import import_modules

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

import_modules(__name__)  # their decorators register the methods
