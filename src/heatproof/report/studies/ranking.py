"""Which methods separate from the random order and from each other, and whether that was settled, in plain words."""

from collections.abc import Sequence

import numpy as np

from heatproof.report.studies.contrasts import caution, decided, told_apart
from heatproof.results.ranking import Ranking
from heatproof.results.settlement import FIRST_LOOK, Settlement
from heatproof.wording import listed


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
