"""The questions that people ask.

Which method (compare), which network (assess), how simple are its heatmaps (complexity), do they find what is
planted (planted), how stable are they (stability), do they follow the weights (randomisation), what will that take
(plan), what does it show (explain), what becomes of what is removed (replacements), which protocol can judge
(protocol).
"""

from heatproof.studies.assess import assess
from heatproof.studies.assessment import Assessment
from heatproof.studies.compare import compare
from heatproof.studies.comparison import Comparison
from heatproof.studies.complexity import complexity
from heatproof.studies.complexity_study import Simplicity
from heatproof.studies.explain import explain_pictures
from heatproof.studies.planning.forecast import Forecast
from heatproof.studies.planning.plan import plan_comparison
from heatproof.studies.planted import planted
from heatproof.studies.planted_truth import PlantedTruth
from heatproof.studies.protocol_comparison import ProtocolComparison
from heatproof.studies.protocols import compare_protocols
from heatproof.studies.randomisation import randomisation
from heatproof.studies.randomisation_study import Randomisation
from heatproof.studies.replacement_comparison import ReplacementComparison
from heatproof.studies.replacements import compare_replacements
from heatproof.studies.road.running import run_comparison
from heatproof.studies.stability import stability
from heatproof.studies.stability_study import Stability
from heatproof.studies.wanted import Wanted

__all__ = [
    "Assessment",
    "Comparison",
    "Forecast",
    "PlantedTruth",
    "ProtocolComparison",
    "Randomisation",
    "ReplacementComparison",
    "Simplicity",
    "Stability",
    "Wanted",
    "assess",
    "compare",
    "compare_protocols",
    "compare_replacements",
    "complexity",
    "explain_pictures",
    "plan_comparison",
    "planted",
    "randomisation",
    "run_comparison",
    "stability",
]
