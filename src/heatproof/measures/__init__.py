"""Curves → numbers with their uncertainty."""

from heatproof.measures.aopc import abpc, aopc, aopc_curve, naopc, relative_drop
from heatproof.measures.areas import deletion_auc, insertion_auc, lrg, mrg, r_oms, srg
from heatproof.measures.calibration import calibration, single_region
from heatproof.measures.catalogue import MEASURES, Measure, MeasureInputs, measure_all
from heatproof.measures.intervals import Estimate, estimate, estimate_curve
from heatproof.measures.pic import compressed_sizes, pic

__all__ = [
    "MEASURES",
    "Estimate",
    "Measure",
    "MeasureInputs",
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
    "r_oms",
    "relative_drop",
    "single_region",
    "srg",
]
