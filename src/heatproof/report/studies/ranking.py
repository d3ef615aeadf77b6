"""Which methods separate from the random order, from each other and from controls, in plain words and as a table."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from heatproof.heatmaps.control_methods import INPUT_ONLY
from heatproof.heatmaps.methods import split_prefix
from heatproof.report.tables import Table
from heatproof.results.contrasts import ERROR, Contrast
from heatproof.results.ranking import FEW_IMAGES, Ranking
from heatproof.results.settlement import FIRST_LOOK, Settlement
from heatproof.wording import counted, listed

Names = TypeVar("Names", bound=tuple[str, ...])

PAIRED = (
    "On the same images, with 95 % intervals that stand each for itself. The p-values of the sign-flip test of the "
    "mean and of Wilcoxon's signed-rank test are corrected for the number of pairs (Holm); pairs separate where "
    f"the sign-flip test gives {ERROR} or less."
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
            "about others: give more for a verdict."
        ]
    said = [
        _best(ranking),
        *_against_random(ranking),
        told_apart(ranking.methods, ranking.differences),
        _agreement(*ranking.concordance),
        f"AOPC: higher is better. {decided(ranking.count) if ranking.tested else ''}".strip(),
        caution(ranking.count, max(len(ranking.relative), len(ranking.differences))) if ranking.tested else "",
    ]
    return [sentence for sentence in said if sentence]


def _best(ranking: Ranking) -> str:
    best = ranking.methods[0]
    relative = ranking.relative[best]
    shown = [name for name, value in ranking.relative.items() if value.above]
    if shown and best not in shown:
        return (
            f"{best} comes first with {relative.estimate} above the random order, which may be chance; shown to "
            f"explain better than the random order is {listed(shown)}."
        )
    if not shown:
        return (
            f"No method is shown to explain better than the random order; {best} comes first with {relative.estimate} "
            "above it."
        )
    equals = [b for (a, b), difference in ranking.differences.items() if a == best and not difference.above]
    shared = f", not told apart from {listed(equals)}" if equals else ""
    return (
        f"{best} explains this network best on these images: AOPC {relative.estimate} above the random order{shared}."
    )


def _against_random(ranking: Ranking) -> list[str]:
    better = [name for name, value in ranking.relative.items() if value.above]
    worse = [name for name, value in ranking.relative.items() if value.below]
    neither = [name for name in ranking.relative if name not in (*better, *worse)]
    return [
        f"{words}: {listed(names)}."
        for words, names in (
            ("Better than the random order", better),
            ("Worse than the random order", worse),
            ("Not told apart from the random order", neither),
        )
        if names
    ]


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
    """How a comparison ended that added images until it was settled, one sentence after the other."""
    equal = [pair for pair, standing in found.standings.items() if standing.placed == "equal"]
    margin = f"less than {found.indifference:.3g} apart (the indifference)"
    return [
        _end(found),
        *([f"No difference that counts, {margin}: {_pairs(equal)}."] if equal else []),
        f"The {len(found.standings)} intervals of differences hold at all looks at once with 95 % (alpha spending): "
        "to stop when it was settled makes nothing look surer than it is.",
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
    """Pairs, in columns with such names; their differences, intervals and corrected p-values; whether they separate."""
    rows = tuple(
        (*pair, one.estimate.mean, one.estimate.low, one.estimate.high, one.sign_flip, one.wilcoxon, _yes(one.separate))
        for pair, one in found.items()
    )
    columns = (*names, "difference", "low", "high", "p (sign flip)", "p (Wilcoxon)", "separate")
    tested = any(one.sign_flip is not None for one in found.values())
    return Table(columns, rows, (PAIRED,) if tested else ())


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def told_apart(names: Sequence[str], differences: Mapping[tuple[str, str], Contrast], what: str = "methods") -> str:
    """Which of these names, best first, separate from each other; nothing where there is one."""
    if not differences:
        return ""
    apart, unclear = (
        {pair for pair, difference in differences.items() if difference.above == above} for above in (True, False)
    )
    if not unclear:
        return f"All {what} separate from each other: {' > '.join(names)}."
    if not apart:
        return f"No pair of {what} separates."
    if len(unclear) <= len(apart):
        return f"Not told apart: {_by_first(names, unclear)}; all other pairs separate."
    return f"Told apart: {_by_first(names, apart)}; no other pair of {what} separates."


def _by_first(names: Sequence[str], pairs: Collection[tuple[str, str]]) -> str:
    """Pairs in a sentence, each name once before its partners."""
    partners = {a: [b for b in names if (a, b) in pairs] for a in names}
    return "; ".join(f"{a} from {listed(others)}" for a, others in partners.items() if others)


def decided(images: int) -> str:
    """How intervals were made, and what decided which separate."""
    return (
        f"Intervals are 95 % intervals over {images} images, paired, each for itself; what separates is decided by "
        "sign-flip tests, corrected for the number of comparisons (Holm)."
    )


def caution(images: int, comparisons: int = 1, *, what: str = "image") -> str:
    """What to say about few images, or whatever else a test is over; nothing about many.

    >>> caution(8, comparisons=3)
    ''
    >>> caution(8, comparisons=28)
    'With 8 images no test can tell 28 differences from chance: take this as a first look.'
    """
    if comparisons * 2.0 ** (1 - images) > ERROR:  # 2^(1 − N): the least p-value, when all images point one way
        differences = "a difference" if comparisons == 1 else f"{comparisons} differences"
        return f"With {counted(images, what)} no test can tell {differences} from chance: take this as a first look."
    if images < FEW_IMAGES:
        return f"With fewer than {FEW_IMAGES} {what}s little is seen of how values spread: take this as a first look."
    return ""


def is_control(name: str) -> bool:
    """Whether a method is a control.

    >>> is_control("sobel"), is_control("randomised[seed=1]:lrp-epsilon"), is_control("lrp-epsilon")
    (True, True, False)
    """
    return _kind(name) in (*INPUT_ONLY, *WORDS)


def unbeaten_controls(ranking: Ranking) -> list[str]:
    """One sentence for each control that methods do not beat: the difference is not shown to lie above 0.

    A negated or randomised method is a control of that method alone, the others of all methods.
    """
    found = []
    for control in ranking.methods:
        if _kind(control) in WORDS:
            own = split_prefix(control)[1]
            rivals = [name for name in ranking.methods if (name == own if ":" in control else not is_control(name))]
            unbeaten = [name for name in rivals if not _beats(ranking, name, control)]
            if unbeaten:
                found.append(f"{control}, which {WORDS[_kind(control)]}, is not beaten by {listed(unbeaten)}")
    return found


def _kind(name: str) -> str:
    prefix, rest = split_prefix(name)
    return (prefix or rest).partition("[")[0]


def _beats(ranking: Ranking, method: str, control: str) -> bool:
    difference = ranking.differences.get((method, control))  # there, if the method comes first
    return difference is not None and difference.above
