"""The questions that people ask: which method (compare), what will that take (plan), what does it show (explain)."""

from heatproof.studies.assess import DEFAULT_METHOD, assess
from heatproof.studies.assessment import Assessment
from heatproof.studies.compare import DEFAULT_METHODS, compare
from heatproof.studies.comparison import Comparison
from heatproof.studies.explain import explain_pictures
from heatproof.studies.forecast import Forecast
from heatproof.studies.plan import plan_comparison

__all__ = [
    "DEFAULT_METHOD",
    "DEFAULT_METHODS",
    "Assessment",
    "Comparison",
    "Forecast",
    "assess",
    "compare",
    "explain_pictures",
    "plan_comparison",
]
