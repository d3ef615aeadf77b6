"""Which methods differ significantly from the random order, each other and controls: sentences and a table."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from heatproof.heatmaps.control_methods import kind_of_control
from heatproof.heatmaps.methods import split_prefix
from heatproof.report.tables import Table
from heatproof.results.contrasts import ERROR, Contrast, ahead
from heatproof.results.ranking import FEW_IMAGES, Ranking
from heatproof.results.settlement import FIRST_LOOK, Settlement
from heatproof.wording import counted, listed

Names = TypeVar("Names", bound=tuple[str, ...])

PAIRED = (
    "Paired differences on the same images, with 95 % intervals that are not corrected for the number of pairs. The "
    "p-values (sign-flip test of the mean, Wilcoxon's signed-rank test) are Holm-corrected for the number of pairs; "
    f"significant: p ≤ {ERROR} in the sign-flip test."
)
WORDS = {
    "centre-gaussian": "never saw the network",
    "sobel": "never saw the network",
    "negated": "has its signs flipped",
    "randomised": "explains a network with shuffled weights",
}  # of random and constant maps the verdict says it already: they are the random order


def ranking_verdict(ranking: Ranking) -> list[str]:
    """The answer, one sentence after the other."""
    if ranking.count < 2:
        best = ranking.methods[0]
        return [
            f"On this one image {best} has the highest AOPC ({ranking.aopc[best].mean:.3g}); one image says nothing "
            "about others; give more images for a verdict."
        ]
    said = [
        _best(ranking),
        *_against_random(ranking),
        significant_pairs(ranking.methods, ranking.differences),
        _agreement(*ranking.concordance),
        f"AOPC: higher is better. {significance(ranking.count) if ranking.tested else ''}".strip(),
        caution(ranking.count, max(len(ranking.relative), len(ranking.differences))) if ranking.tested else "",
    ]
    return [sentence for sentence in said if sentence]


def _best(ranking: Ranking) -> str:
    best = ranking.methods[0]
    relative = ranking.relative[best]
    first = f"{best} has the highest AOPC, {relative.estimate} above the random order"
    if not relative.above:
        return f"{first}, but is not significantly better than the random order."
    contrasts = {name: ahead(ranking.differences, (best, name)) for name in ranking.methods[1:]}
    equals = [name for name, one in contrasts.items() if one is not None and not one.above]
    return f"{first}, but is not significantly better than {listed(equals)}." if equals else f"{first}."


def _against_random(ranking: Ranking) -> list[str]:
    better = [name for name, value in ranking.relative.items() if value.above]
    worse = [name for name, value in ranking.relative.items() if value.below]
    neither = [name for name in ranking.relative if name not in (*better, *worse)]
    said = [f"{_better(better, len(ranking.relative))} significantly better than the random order."]
    if worse:
        said.append(f"{_are(worse)} significantly worse than the random order.")
    if neither:
        said.append(f"No significant difference from the random order: {listed(neither)}.")
    return said


def _better(names: Sequence[str], of: int) -> str:
    if not names:
        return "No method is"
    return f"Only {_are(names)}" if len(names) < of else _are(names)


def _are(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"


def _agreement(kendall: float, alpha: float) -> str:
    """Whether single images would rank the methods alike."""
    if np.isnan(kendall):
        return ""
    degree = "hardly agree" if alpha < 1 / 3 else "agree in part" if alpha < 2 / 3 else "largely agree"
    return (
        f"Single images {degree} on the ranking of the methods (Kendall's W {kendall:.2f}, Krippendorff's α "
        f"{alpha:.2f}; 1: all alike, α = 0: as by chance)."
    )


def settlement_verdict(found: Settlement) -> list[str]:
    """Sentences on the stopping result of a comparison that added images."""
    equal = [pair for pair, standing in found.standings.items() if standing.placed == "equal"]
    margin = f"less than {found.indifference:.3g} apart (the indifference)"
    return [
        _end(found),
        *([f"Equal, {margin}: {_pairs(equal)}."] if equal else []),
        f"The {len(found.standings)} intervals of differences hold together, at all looks, with 95 % (alpha spending), "
        "so stopping early makes no result look surer than it is. Significant: such an interval excludes zero.",
    ]


def _end(found: Settlement) -> str:
    asked = "Which methods are above the random order" if found.rule.until == "signs" else "The ranking"
    if not found.open:
        spared = f" of {found.given}" if found.taken < found.given else ""
        return f"{asked} is settled after {found.taken}{spared} images."
    if found.given < FIRST_LOOK:
        return f"{asked} cannot be settled with {found.given} images: the first look is at {FIRST_LOOK}."
    return (
        f"{asked} is not settled with all {found.given} images; open: {_pairs(found.open)}. Give more images, or a "
        "larger indifference."
    )


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return listed([f"{first} with {second}" for first, second in pairs])


def contrasts_table(found: Mapping[Names, Contrast], names: Names) -> Table:
    """Differences of pairs (in the columns ``names``), their intervals, corrected p-values and significance."""
    rows = tuple(
        (
            *pair,
            one.estimate.mean,
            one.estimate.low,
            one.estimate.high,
            one.sign_flip,
            one.wilcoxon,
            "yes" if one.significant else "no",
        )
        for pair, one in found.items()
    )
    columns = (*names, "difference", "low", "high", "p (sign flip)", "p (Wilcoxon)", "significant")
    tested = any(one.sign_flip is not None for one in found.values())
    return Table(columns, rows, (PAIRED,) if tested else ())


def significant_pairs(
    names: Sequence[str], differences: Mapping[tuple[str, str], Contrast], what: str = "methods"
) -> str:
    """One sentence: which of these names, best first, are significantly different; empty for a single name."""
    if not differences:
        return ""
    clear, unclear = (
        {pair for pair, difference in differences.items() if difference.above == above} for above in (True, False)
    )
    if not unclear:
        return f"All pairs of {what} are significantly different: {' > '.join(names)}."
    if not clear:
        return f"No pair of {what} is significantly different."
    if len(unclear) <= len(clear):
        return (
            f"Not significantly different: {_by_first(names, unclear)}; all other pairs of {what} differ significantly."
        )
    return f"Only these pairs of {what} differ significantly: {_by_first(names, clear)}."


def _by_first(names: Sequence[str], pairs: Collection[tuple[str, str]]) -> str:
    """Pairs in a sentence, each name once before its partners."""
    partners = {a: [b for b in names if (a, b) in pairs] for a in names}
    return "; ".join(f"{a} from {listed(others)}" for a, others in partners.items() if others)


def significance(images: int) -> str:
    """What significant means, and how intervals were made."""
    return (
        f"Significant: p ≤ {ERROR} in a paired sign-flip test, Holm-corrected for the number of comparisons. Intervals "
        f"are 95 % intervals over {images} images, not corrected."
    )


def caution(images: int, comparisons: int = 1, *, what: str = "image") -> str:
    """A warning about few images, or whatever else a test is over; empty for many.

    >>> caution(8, comparisons=3)
    ''
    >>> caution(8, comparisons=28)
    'With 8 images no test of 28 differences can be significant: take this as a first look.'
    """
    if comparisons * 2.0 ** (1 - images) > ERROR:  # 2^(1 − N): the least p-value, when all images point one way
        differences = "a difference" if comparisons == 1 else f"{comparisons} differences"
        return f"With {counted(images, what)} no test of {differences} can be significant: take this as a first look."
    if images < FEW_IMAGES:
        return f"Fewer than {FEW_IMAGES} {what}s say little about how values spread: take this as a first look."
    return ""


def unbeaten_controls(ranking: Ranking) -> list[str]:
    """One sentence for each control than which some method is not significantly better.

    A negated or randomised method is a control of that method alone, the others of all methods.
    """
    found = []
    for control in ranking.methods:
        if kind_of_control(control) in WORDS:
            own = split_prefix(control)[1]
            rivals = [
                name for name in ranking.methods if (name == own if ":" in control else not kind_of_control(name))
            ]
            unbeaten = [name for name in rivals if not _beats(ranking, name, control)]
            if unbeaten:
                found.append(
                    f"{_are(unbeaten)} not significantly better than {control}, which {WORDS[kind_of_control(control)]}"
                )
    return found


def _beats(ranking: Ranking, method: str, control: str) -> bool:
    difference = ranking.differences.get((method, control))  # there, if the method comes first
    return difference is not None and difference.above
