"""Regions are removed in an order, replaced by something, and the score is followed."""

from heatproof.perturbation.bounds import OrderBounds, bound_evaluations, order_bounds
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.engine import Engine
from heatproof.perturbation.perturbing import perturb, perturb_orders
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import REGIONS
from heatproof.perturbation.replacements import REPLACEMENTS
from heatproof.perturbation.statistics import Statistics
from heatproof.perturbation.subsets import single_region_drops, single_region_evaluations
from heatproof.registry import import_modules

__all__ = [
    "REGIONS",
    "REPLACEMENTS",
    "Curves",
    "Engine",
    "OrderBounds",
    "Protocol",
    "Statistics",
    "bound_evaluations",
    "order_bounds",
    "perturb",
    "perturb_orders",
    "single_region_drops",
    "single_region_evaluations",
]

import_modules(__name__)  # their decorators register the replacements and regions
