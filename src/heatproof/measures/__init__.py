"""Curves → numbers with their uncertainty."""

from heatproof.measures.abpc import abpc
from heatproof.measures.aopc import aopc, aopc_curve
from heatproof.measures.auc import deletion_auc, insertion_auc
from heatproof.measures.calibration import calibration, single_region
from heatproof.measures.catalogue import MEASURES, Given, Measure, measure_all
from heatproof.measures.intervals import Estimate, estimate, estimate_curve
from heatproof.measures.naopc import naopc
from heatproof.measures.pic import compressed_sizes, pic
from heatproof.measures.relative_drop import relative_drop
from heatproof.measures.srg import lrg, mrg, srg

__all__ = [
    "MEASURES",
    "Estimate",
    "Given",
    "Measure",
    "abpc",
    "aopc",
    "aopc_curve",
    "calibration",
    "compressed_sizes",
    "deletion_auc",
    "estimate",
    "estimate_curve",
    "insertion_auc",
    "lrg",
    "measure_all",
    "mrg",
    "naopc",
    "pic",
    "relative_drop",
    "single_region",
    "srg",
]
