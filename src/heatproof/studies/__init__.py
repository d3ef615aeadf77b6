"""The questions that people ask: which method (compare), what will that take (plan), what does it show (explain).

And: what becomes of a removed region (replacements)?
"""

from heatproof.studies.assess import DEFAULT_METHOD, assess
from heatproof.studies.assessment import Assessment
from heatproof.studies.between import ReplacementComparison
from heatproof.studies.compare import DEFAULT_METHODS, compare
from heatproof.studies.comparison import Comparison
from heatproof.studies.explain import explain_pictures
from heatproof.studies.forecast import Forecast
from heatproof.studies.plan import plan_comparison
from heatproof.studies.replacements import compare_replacements

__all__ = [
    "DEFAULT_METHODS",
    "Comparison",
    "Forecast",
    "ReplacementComparison",
    "compare",
    "compare_replacements",
    "explain_pictures",
    "plan_comparison",
]
