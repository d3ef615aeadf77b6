"""The verdict on checkpoints: which one has the best heatmaps, and how far that can be trusted."""

from collections.abc import Mapping, Sequence

import numpy as np

from heatproof.measures import Estimate, estimate
from heatproof.measures.agreement import spearman
from heatproof.measures.quality import CONTROLS, QUALITIES
from heatproof.measures.series import Series
from heatproof.results.ranking import FEW_IMAGES
from heatproof.wording import listed

LEADING = "standardised"  # neither scaling nor shifting the logits changes it
BESIDE = ("relative drop", "probability")  # scale cannot raise these either
GROWTH = 1.5  # the mean logit's largest value over its smallest, from which on raw AOPC is not to be trusted


def merit(
    checkpoints: Sequence[str],
    series: Mapping[str, Series],
    rank_correlations: Mapping[str, Estimate],
    images: int,
    *,
    given_confidence: Mapping[str, Estimate] | None = None,
) -> list[str]:
    """The answer, one sentence after the other.

    Args:
        checkpoints: their names.
        series: every quantity, by name.
        rank_correlations: of each quantity with the accuracy, where it is known.
        images: how many.
        given_confidence: as ``rank_correlations``, given the mean confidence; none where checkpoints are too few.
    """
    said = [_best(checkpoints, series), _agreement(checkpoints, series)]
    said += [_raw(checkpoints, series), _growth(series["mean logit"])]
    said += _against_accuracy(rank_correlations) or [_controls(checkpoints, series)]
    said.append(_beyond_confidence(given_confidence or {}))
    said.append(
        f"Higher is better. Intervals are 95 % intervals over {images} images, the same for all checkpoints. "
        "Significant: the interval of the paired difference excludes zero, not corrected for the number of "
        "checkpoints. Other training runs may differ."
    )
    if images < FEW_IMAGES:
        said.append(f"Fewer than {FEW_IMAGES} images say little about how values spread: take this as a first look.")
    return [sentence for sentence in said if sentence]


def best_and_equals(series: Series) -> tuple[int, list[int]]:
    """The best checkpoint, and those from which it is not significantly different: the interval reaches zero."""
    best = int(np.nanargmax(series.values()))
    rows = series.per_image()
    known = np.isfinite(rows).all(axis=1)
    clear = [known[best] and known[index] and estimate(rows[best] - row).low > 0 for index, row in enumerate(rows)]
    return best, [index for index, is_clear in enumerate(clear) if index != best and not is_clear]


def _best(checkpoints: Sequence[str], series: Mapping[str, Series]) -> str:
    leading = series[LEADING]
    if len(checkpoints) == 1:
        return (
            f"The heatmaps of {checkpoints[0]} have a standardised AOPC of {leading.estimates()[0]} above the random "
            "order; give more checkpoints to compare it with."
        )
    best, equals = best_and_equals(leading)
    others = [checkpoints[index] for index in equals]
    first, more = checkpoints[best], f"{leading.estimates()[best]} standard deviations more than in random order"
    fall = f"the standardised logit falls by {more}"
    shared = f"{'not ' if others else ''}significantly more than for {_listed(others) if others else 'all others'}"
    if _against(best, series):
        return f"Which checkpoint has the best heatmaps depends on the measure. For {first} {fall}, {shared}."
    if others:
        return (
            f"No checkpoint has significantly better heatmaps than all others: {first} comes first ({fall}), but "
            f"{shared}. More images may decide."
        )
    return f"{first} has the best heatmaps: {fall}, {shared}."


def _against(best: int, series: Mapping[str, Series]) -> dict[str, int]:
    """The quantities that rank another checkpoint first, significantly above the ``best``, with that checkpoint."""
    found = {name: best_and_equals(series[name]) for name in _beside(series)}
    return {name: first for name, (first, equals) in found.items() if best not in (first, *equals)}


def _agreement(checkpoints: Sequence[str], series: Mapping[str, Series]) -> str:
    """Whether the other quantities that scale cannot raise say the same."""
    beside = _beside(series)
    if len(checkpoints) == 1 or not beside:
        return ""
    best, _ = best_and_equals(series[LEADING])
    against = _against(best, series)
    if not against:
        return f"No other checkpoint is significantly better by the {_listed(beside)}, which scale cannot raise either."
    others = _listed([f"the {name} ranks {checkpoints[first]}" for name, first in against.items()])
    return (
        f"But {others} significantly above {checkpoints[best]}: trust only a ranking on which all these measures agree."
    )


def _beside(series: Mapping[str, Series]) -> list[str]:
    """The measures of ``BESIDE`` that are known; the relative drop is unknown where the mean logit is below zero."""
    return [name for name in BESIDE if name in series and np.isfinite(series[name].values()).all()]


def _controls(checkpoints: Sequence[str], series: Mapping[str, Series]) -> str:
    """The mean confidence, which a user without labels could look at instead."""
    if len(checkpoints) == 1 or "mean confidence" not in series:
        return ""
    confidence = series["mean confidence"]
    best, equals = best_and_equals(confidence)
    others = [checkpoints[index] for index in equals]
    shared = f", not significantly more than at {_listed(others)}" if others else ""
    return (
        f"Without heatmaps: the network is most confident of untouched images at {checkpoints[best]} "
        f"({confidence.estimates()[best]}){shared}."
    )


def _raw(checkpoints: Sequence[str], series: Mapping[str, Series]) -> str:
    if len(checkpoints) == 1:
        return ""
    raw, standardised = series["above random"].values(), series[LEADING].values()
    best = checkpoints[int(np.argmax(raw))]
    alike = "" if len(raw) < 3 else f" (rank correlation {spearman(raw[None], standardised[None])[0]:.2f})"
    return f"Raw AOPC above the random order ranks {best} first{alike}."


def _growth(logits: Series) -> str:
    values = logits.values()
    if not values.min() > 0 or values.max() / values.min() < GROWTH:
        return ""
    return (
        f"The mean logit of untouched images lies between {values.min():.3g} and {values.max():.3g}: raw AOPC grows "
        "with it, whatever the heatmaps are."
    )


def _against_accuracy(found: Mapping[str, Estimate]) -> list[str]:
    if not found:
        return []
    qualities = ", ".join(f"{name} {found[name]}" for name in QUALITIES)
    controls = ", ".join(f"{name} {found[name]}" for name in CONTROLS)
    closest = max(QUALITIES, key=lambda name: found[name].mean)
    nearer = found[closest].mean > max(found[name].mean for name in CONTROLS)
    closer = f"{closest} follows" if nearer else "no quantity that comes from heatmaps follows"
    return [
        f"Rank correlation with the accuracy: {qualities}.",
        f"For comparison, without heatmaps: {controls}; {closer} the accuracy more closely.",
    ]


def _beyond_confidence(found: Mapping[str, Estimate]) -> str:
    """What heatmaps say of the accuracy that the mean confidence does not say."""
    if not found:
        return ""
    known = {name: found[name] for name in QUALITIES if np.isfinite(found[name].mean)}
    if not known:
        return (
            "Given the mean confidence, there is no partial rank correlation: the confidence ranks the checkpoints "
            "exactly as the accuracy does, or something is the same for all."
        )
    values = ", ".join(f"{name} {value}" for name, value in known.items())
    adding = [name for name, value in known.items() if value.low > 0]
    so = f"{listed(adding)} say{'s' * (len(adding) == 1)}" if adding else "no quantity that comes from heatmaps says"
    more = "more of the accuracy than the confidence does" if adding else "significantly more of the accuracy than that"
    return f"Given the mean confidence (partial rank correlation): {values}; {so} {more}."


def _listed(names: Sequence[str]) -> str:
    few = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return few[0] if len(few) == 1 else f"{', '.join(few[:-1])} and {few[-1]}"
