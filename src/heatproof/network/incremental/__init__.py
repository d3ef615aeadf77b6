"""Incremental inference: after a change of an image, only what it touches is evaluated again."""

from heatproof.network.incremental.costs import Costs, cheapest, leanest, measure
from heatproof.network.incremental.maps import Maps
from heatproof.network.incremental.plan import Plan, whole_plan
from heatproof.network.incremental.sequences import Changing, Tail, Values, Windows
from heatproof.network.incremental.touched import Touched, touched_by_regions

__all__ = [
    "Changing", "Costs", "Maps", "Plan", "Tail", "Touched", "Values", "Windows",
    "cheapest", "leanest", "measure", "touched_by_regions", "whole_plan",
]  # fmt: skip
