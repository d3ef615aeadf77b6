"""Regions are removed in an order, replaced by something, and the score is followed."""

from heatproof.perturbation.curves import Curves, Protocol, perturb, perturb_orders
from heatproof.perturbation.engine import Engine
from heatproof.perturbation.replacements import REPLACEMENTS

__all__ = ["REPLACEMENTS", "Curves", "Engine", "Protocol", "perturb", "perturb_orders"]
