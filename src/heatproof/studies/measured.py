"""All measures that the curves of a comparison allow, with their intervals."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from heatproof.measures import MEASURES, Estimate, estimate, measure_all
from heatproof.perturbation import Curves
from heatproof.perturbation.regions import relevance_of_regions
from heatproof.report import Table

Measured = dict[str, dict[str, Estimate]]  # by method, then by measure


def measured(
    curves: Mapping[str, Curves],
    lerf: Mapping[str, Curves],
    random: Curves,
    heatmaps: Mapping[str, Tensor],
    regions: Tensor,
) -> Measured:
    """Means over images with 95 % intervals, by method and measure; no network runs.

    Args:
        curves: most relevant first, by method.
        lerf: least relevant first, by method, or nothing.
        random: in random order.
        heatmaps: (N, H, W) by method.
        regions: (N, H, W) region indices.
    """
    found: Measured = {}
    for name, morf in curves.items():
        count = min(len(morf.images), len(random.images))
        values = measure_all(
            morf.first(count),
            lerf[name].first(count) if name in lerf else None,
            random.first(count),
            relevance=relevance_of_regions(heatmaps[name][:count], regions[:count]),
        )
        found[name] = {measure: estimate(each) for measure, each in values.items() if np.isfinite(each).all()}
    return found


def measures_table(found: Measured) -> Table:
    """One row for each method, one column for each measure, with its direction."""
    known = [name for name in MEASURES if any(name in values for values in found.values())]
    arrows = {name: "↑" if MEASURES[name].higher_is_better else "↓" for name in known}
    rows = tuple(
        (method, *(str(values[name]) if name in values else None for name in known)) for method, values in found.items()
    )
    note = "Means over images with 95 % intervals; ↑ higher is better, ↓ lower is better. What they are: "
    return Table(
        ("method", *(f"{name} {arrows[name]}" for name in known)),
        rows,
        (f"{note}heatproof list measures.",),
    )
