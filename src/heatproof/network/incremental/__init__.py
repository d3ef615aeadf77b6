"""Incremental inference: after a change of an image, only the dirty regions of feature maps are evaluated again."""

from heatproof.network.incremental.dirty_regions import DirtyRegions, dirty_regions
from heatproof.network.incremental.feature_cache import FeatureCache
from heatproof.network.incremental.incremental_state import IncrementalState, Tail, Values
from heatproof.network.incremental.plan import Plan, whole_plan
from heatproof.network.incremental.planner import Planner, cheapest, leanest, measure
from heatproof.network.incremental.single_changes import single_changes

__all__ = [
    "DirtyRegions",
    "FeatureCache",
    "IncrementalState",
    "Plan",
    "Planner",
    "Tail",
    "Values",
    "cheapest",
    "dirty_regions",
    "leanest",
    "measure",
    "single_changes",
    "whole_plan",
]  # fmt: skip
