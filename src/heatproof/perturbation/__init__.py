"""Regions are removed in an order, replaced by something, and the score is followed."""

from heatproof.perturbation.curves import Curves, Protocol, perturb, perturb_orders
from heatproof.perturbation.replacements import REPLACEMENTS

__all__ = ["REPLACEMENTS", "Curves", "Protocol", "perturb", "perturb_orders"]
