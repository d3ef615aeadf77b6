"""Puts heatmaps of image classifiers to the proof."""

from typing import TYPE_CHECKING

from heatproof.lazily import lazily

if TYPE_CHECKING:
    from heatproof.cli.surveying import survey
    from heatproof.data import load_dataset, load_images
    from heatproof.data.preprocessing import Preprocessing
    from heatproof.errors import InputError
    from heatproof.heatmaps import explain
    from heatproof.measures.aopc import abpc, aopc, aopc_curve
    from heatproof.network import Network, load_network
    from heatproof.perturbation import Curves, perturb
    from heatproof.studies import Assessment, Comparison, compare_protocols, compare_replacements, plan_comparison
    from heatproof.studies.assess import assess
    from heatproof.studies.compare import compare
    from heatproof.studies.complexity import complexity
    from heatproof.studies.planted import planted
    from heatproof.studies.randomisation import randomisation
    from heatproof.studies.stability import stability

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
    "compare_protocols",
    "compare_replacements",
    "complexity",
    "explain",
    "load_dataset",
    "load_images",
    "load_network",
    "perturb",
    "plan_comparison",
    "planted",
    "randomisation",
    "stability",
    "survey",
]

_ROOMS = ("checks", "data", "heatmaps", "measures", "network", "perturbation", "report", "runs", "studies", "training")
_HOMES = {
    "Assessment": "heatproof.studies",
    "Comparison": "heatproof.studies",
    "Curves": "heatproof.perturbation",
    "InputError": "heatproof.errors",
    "Network": "heatproof.network",
    "Preprocessing": "heatproof.data.preprocessing",
    "abpc": "heatproof.measures",
    "aopc": "heatproof.measures",
    "aopc_curve": "heatproof.measures",
    "assess": "heatproof.studies",
    "compare": "heatproof.studies",
    "compare_protocols": "heatproof.studies",
    "compare_replacements": "heatproof.studies",
    "complexity": "heatproof.studies",
    "explain": "heatproof.heatmaps",
    "load_dataset": "heatproof.data",
    "load_images": "heatproof.data",
    "load_network": "heatproof.network",
    "perturb": "heatproof.perturbation",
    "plan_comparison": "heatproof.studies",
    "planted": "heatproof.studies",
    "randomisation": "heatproof.studies",
    "stability": "heatproof.studies",
    "survey": "heatproof.cli.surveying",
} | {room: f"heatproof.{room}" for room in _ROOMS}

__getattr__ = lazily(__name__, _HOMES)  # so that importing heatproof takes no time, and not even torch


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
