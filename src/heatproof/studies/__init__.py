"""The questions that people ask: which method (compare), what does it show (explain)."""

from heatproof.studies.compare import DEFAULT_METHODS, compare
from heatproof.studies.comparison import Comparison
from heatproof.studies.explain import explain_pictures

__all__ = ["DEFAULT_METHODS", "Comparison", "compare", "explain_pictures"]
