"""The value of each image by which methods are compared: AOPC, or the difference of both orders (ABPC)."""

from collections.abc import Mapping, Sequence

import numpy as np

from heatproof.heatmaps.control_methods import ANOTHER, MUST_BEAT, kind_of_control
from heatproof.measures import abpc, aopc
from heatproof.perturbation import Curves
from heatproof.results.part import REFERENCE

Values = dict[str, np.ndarray]  # (n,) by method


def headline(morf: Mapping[str, Curves], lerf: Mapping[str, Curves], *, symmetric: bool) -> Values:
    """What methods, and the random order, are compared by; higher is better.

    It is AOPC of the most relevant first; in a symmetric comparison that minus AOPC of the least relevant first
    (ABPC), which is zero for a random order.
    """
    if not symmetric:
        return {name: of_curves(curves) for name, curves in morf.items()}
    found = {name: abpc(curves, lerf[name]).double().numpy() for name, curves in morf.items() if name != REFERENCE}
    return found | ({REFERENCE: np.zeros(len(morf[REFERENCE].images))} if REFERENCE in morf else {})


def gains(morf: Mapping[str, Curves], lerf: Mapping[str, Curves]) -> tuple[Values, Values]:
    """The halves of a symmetric comparison, which add up to ABPC: MoRF gain and LeRF gain; higher is better.

    MoRF gain is the AOPC of the most relevant first minus that of the random order; LeRF gain is the AOPC of the random
    order minus that of the least relevant first.
    """
    random = of_curves(morf[REFERENCE])
    first = {name: paired(of_curves(morf[name]), random) for name in lerf}
    return first, {name: -paired(of_curves(lerf[name]), random) for name in lerf}


def of_curves(curves: Curves) -> np.ndarray:
    """(n,) AOPC in float64."""
    found: np.ndarray = aopc(curves).double().numpy()
    return found


def paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Differences on the images that both have, which are the first ones."""
    both = min(len(first), len(second))
    return np.asarray(first[:both] - second[:both])


def proper_methods(names: Sequence[str]) -> list[str]:
    """Names without the random order and without controls; controls too, where there is nothing else."""
    methods = [name for name in names if name != REFERENCE]
    return [name for name in methods if not kind_of_control(name)] or methods


def rivals_of(method: str, names: Sequence[str]) -> list[str]:
    """What a method must beat to be shown to explain: random order, input-only baselines, its map of another image."""
    own = f"{ANOTHER}:{method}"
    return [
        name for name in names if name != method and (name in (REFERENCE, own) or kind_of_control(name) in MUST_BEAT)
    ]
