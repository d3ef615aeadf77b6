"""Curves → numbers with their uncertainty."""

from heatproof.measures.abpc import abpc
from heatproof.measures.aopc import aopc, aopc_curve
from heatproof.measures.intervals import Estimate, estimate, estimate_curve

__all__ = ["Estimate", "abpc", "aopc", "aopc_curve", "estimate", "estimate_curve"]
