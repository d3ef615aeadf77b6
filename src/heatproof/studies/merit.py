"""Which checkpoint has the best heatmaps, and whether one may believe it, in plain words."""

from collections.abc import Mapping, Sequence

import numpy as np

from heatproof.measures import Estimate, estimate
from heatproof.measures.quality import CONTROLS, QUALITIES
from heatproof.measures.series import Series, spearman
from heatproof.studies.verdict import FEW_IMAGES

LEADING = "standardised"  # neither scaling nor shifting the logits changes it
GROWTH = 1.5  # the mean logit's largest value over its smallest, from which on raw AOPC is not to be trusted


def merit(
    checkpoints: Sequence[str],
    series: Mapping[str, Series],
    rank_correlations: Mapping[str, Estimate],
    images: int,
) -> list[str]:
    """The answer, one sentence after the other.

    Args:
        checkpoints: their names.
        series: every quantity, by name.
        rank_correlations: of each quantity with the accuracy, where it is known.
        images: how many.
    """
    said = [_best(checkpoints, series[LEADING]), _raw(checkpoints, series), _growth(series["mean logit"])]
    said += _against_accuracy(rank_correlations)
    said.append(
        f"Higher is better. Intervals are of 95 %, over {images} images, the same for all checkpoints; they say "
        "nothing about other training runs."
    )
    if images < FEW_IMAGES:
        said.append(
            f"With fewer than {FEW_IMAGES} images little is seen of how values spread: take this as a first look."
        )
    return [sentence for sentence in said if sentence]


def not_told_apart(series: Series) -> tuple[int, list[int]]:
    """The best network, and those whose difference from it has an interval over images that reaches zero."""
    best = int(np.nanargmax(series.values()))
    rows = series.per_image()
    known = np.isfinite(rows).all(axis=1)
    apart = [known[best] and known[index] and estimate(rows[best] - row).low > 0 for index, row in enumerate(rows)]
    return best, [index for index, clear in enumerate(apart) if index != best and not clear]


def _best(checkpoints: Sequence[str], series: Series) -> str:
    if len(checkpoints) == 1:
        return (
            f"The heatmaps of {checkpoints[0]} have a standardised AOPC of {series.estimates()[0]} above the random "
            "order; more checkpoints would tell whether that is much."
        )
    best, equals = not_told_apart(series)
    others = [checkpoints[index] for index in equals]
    shared = f", not told apart from {_listed(others)}" if others else ", apart from all others"
    return (
        f"{checkpoints[best]} has the best heatmaps: the standardised logit falls by "
        f"{series.estimates()[best]} standard deviations more than in random order{shared}."
    )


def _raw(checkpoints: Sequence[str], series: Mapping[str, Series]) -> str:
    if len(checkpoints) == 1:
        return ""
    raw, standardised = series["above random"].values(), series[LEADING].values()
    best = checkpoints[int(np.argmax(raw))]
    alike = "" if len(raw) < 3 else f" (rank correlation {spearman(raw[None], standardised[None])[0]:.2f})"
    return f"Raw AOPC above the random order puts {best} first{alike}."


def _growth(logits: Series) -> str:
    values = logits.values()
    if not values.min() > 0 or values.max() / values.min() < GROWTH:
        return ""
    return (
        f"The mean logit of untouched images lies between {values.min():.3g} and {values.max():.3g}: raw AOPC grows "
        "with it by itself, and is no proof of better heatmaps."
    )


def _against_accuracy(found: Mapping[str, Estimate]) -> list[str]:
    if not found:
        return []
    qualities = ", ".join(f"{name} {found[name]}" for name in QUALITIES)
    controls = ", ".join(f"{name} {found[name]}" for name in CONTROLS)
    closest = max(QUALITIES, key=lambda name: found[name].mean)
    nearer = found[closest].mean > max(found[name].mean for name in CONTROLS)
    judged = f"{closest} follows" if nearer else "nothing that comes from heatmaps follows"
    return [
        f"Rank correlation with the accuracy: {qualities}.",
        f"For comparison, what needs no heatmap: {controls}; {judged} the accuracy more closely.",
    ]


def _listed(names: Sequence[str]) -> str:
    few = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return few[0] if len(few) == 1 else f"{', '.join(few[:-1])} and {few[-1]}"
