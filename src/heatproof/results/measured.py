"""All measures that the curves of a comparison allow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from heatproof.measures import Estimate, MeasureInputs, estimate, measure_all
from heatproof.perturbation import Curves
from heatproof.perturbation.regions import relevance_of_regions

Measured = dict[str, dict[str, np.ndarray]]  # (n,) by method, then by measure


def measured(
    curves: Mapping[str, Curves],
    lerf: Mapping[str, Curves],
    random: Curves | None,
    heatmaps: Mapping[str, Tensor],
    regions: Tensor,
    further: Mapping[str, Any],
) -> Measured:
    """Every measure of each image, by method and measure; no network runs.

    Args:
        curves: most relevant first, by method.
        lerf: least relevant first, by method, or nothing.
        random: in random order, if that ran.
        heatmaps: (N, H, W) by method.
        regions: (N, H, W) region indices.
        further: what was evaluated for measures that need more than curves, as ``MeasureInputs`` names it.
    """
    found: Measured = {}
    for name, morf in curves.items():
        relevance = relevance_of_regions(heatmaps[name], regions)
        values = measure_all(MeasureInputs(morf, lerf.get(name), random, relevance, **further))
        found[name] = {measure: each for measure, each in values.items() if np.isfinite(each).all()}
    return found


def joined_measures(parts: Sequence[Measured]) -> Measured:
    """The measures of several parts as one; what is missing in a part that has the method is left out."""
    found: Measured = {}
    for method in parts[0]:
        having = [part[method] for part in parts if method in part]
        shared = [name for name in having[0] if all(name in part for part in having)]
        found[method] = {name: np.concatenate([part[name] for part in having]) for name in shared}
    return found


def measures_frame(found: Measured, names: Sequence[str]) -> pl.DataFrame:
    """One row for each image, method and measure."""
    images = pl.Series("image", names, dtype=pl.String)
    frames = [
        pl.DataFrame([images.head(len(values)), pl.Series("value", values, dtype=pl.Float64)]).select(
            "image", pl.lit(method).alias("method"), pl.lit(measure).alias("measure"), "value"
        )
        for method, measures in found.items()
        for measure, values in measures.items()  # a method may have the first images only
    ]
    return pl.concat(frames, rechunk=False)


def estimates(found: Measured) -> dict[str, dict[str, Estimate]]:
    """Means over images with 95 % intervals, by method and measure."""
    return {
        method: {measure: estimate(values) for measure, values in measures.items()}
        for method, measures in found.items()
    }
