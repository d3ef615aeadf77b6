"""Puts heatmaps of image classifiers to the proof."""

from heatproof.data import load_dataset, load_images
from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.heatmaps import explain
from heatproof.measures import abpc, aopc, aopc_curve
from heatproof.network import Network, load_network
from heatproof.perturbation import Curves, perturb
from heatproof.studies import Assessment, Comparison, assess, compare, compare_replacements, complexity, plan_comparison

__version__ = "0.1.0"

__all__ = [
    "Assessment",
    "Comparison",
    "Curves",
    "InputError",
    "Network",
    "Preprocessing",
    "abpc",
    "aopc",
    "aopc_curve",
    "assess",
    "compare",
    "compare_replacements",
    "complexity",
    "explain",
    "load_dataset",
    "load_images",
    "load_network",
    "perturb",
    "plan_comparison",
]
