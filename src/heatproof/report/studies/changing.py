"""What the pages of both studies say that make heatmaps again: how methods compare, and which have no value."""

import numpy as np

from heatproof.report.studies.ranking import caution, significance
from heatproof.report.tables import NOTHING
from heatproof.results.changing import ChangingResult
from heatproof.results.contrasts import ahead
from heatproof.wording import listed


def compared(found: ChangingResult, quantity: str, doing: str) -> str:
    """Which method has the lowest values, and than which it is significantly better; empty where none has a value.

    Args:
        found: the study.
        quantity: of which lower values are better.
        doing: what maps do more or less of, such as ``change``.
    """
    names, means = found.judged(quantity), found.estimates[quantity]
    if not names:
        return ""
    first, *others = names
    if not others:
        return f"the maps of {first} {doing} by {means[first]}."
    contrasts = {b: one for b in others if (one := ahead(found.differences, (quantity, first, b)))}
    clear = [b for b, one in contrasts.items() if one.above]
    lower = [b for b, one in contrasts.items() if one.below]
    unclear = [name for name in others if name not in (*clear, *lower)]
    said = [f"the maps of {first} {doing} least ({means[first]}), those of {others[-1]} most ({means[others[-1]]})"]
    said += [f"{first} is significantly lower than {listed(clear)}"] if clear else []
    said += [f"{first} is not significantly lower than {listed(unclear)}"] if unclear else []
    said += [f"on the images that both have, {first} is significantly higher than {listed(lower)}"] if lower else []
    return f"{'; '.join(said)}."


def tested(found: ChangingResult, *quantities: str) -> list[str]:
    """What significant means, and a warning about few images."""
    families = [[one for pair, one in found.differences.items() if pair[0] == quantity] for quantity in quantities]
    families = [family for family in families if family]
    if not families:
        return []
    cautions = {caution(min(one.images for one in family), len(family)) for family in families}
    return [significance(len(found.names)), *sorted(cautions - {""})]


def zero_maps(found: ChangingResult) -> list[str]:
    """A warning for each method some of whose heatmaps are all zero."""
    return [
        f"{int(zero.sum())} of {len(zero)} heatmaps of {name} are all zero: they have no value, and are left out"
        for name, zero in found.without_relevance.items()
        if zero.any()
    ]


def labels(found: ChangingResult, quantity: str) -> list[str]:
    """The values of each image's heatmaps, in their order, below its picture."""
    rows = zip(*[found.values[quantity][name] for name in found.heatmaps], strict=True)
    return [", ".join(NOTHING if np.isnan(value) else f"{value:.2f}" for value in row) for row in rows]
