"""Curves as the report draws them: means over images with their intervals."""

from collections.abc import Mapping

from heatproof.measures import aopc_curve, estimate_curve
from heatproof.perturbation import Curves
from heatproof.report.charts import Band


def relative_bands(curves: Mapping[str, Curves], reference: str) -> list[Band]:
    """AOPC(L) minus that of the reference on the same images, with pointwise 95 % intervals; higher is better."""
    other = aopc_curve(curves[reference]).double().numpy()
    bands = []
    for name, one in curves.items():
        if name != reference:
            values = aopc_curve(one).double().numpy()
            both = min(len(values), len(other))
            bands.append(Band(name, *estimate_curve(values[:both] - other[:both]), at=one.ends.numpy()))
    return bands


def score_band(name: str, curves: Curves, *, is_reference: bool = False) -> Band:
    """The mean score over images and repeats with pointwise 95 % intervals, where each score stands for."""
    values = curves.scores.double().mean(dim=1).numpy()
    return Band(name, *estimate_curve(values), is_reference=is_reference, at=curves.middles.numpy())
