"""Which methods separate from the random order and from each other, in numbers and in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from heatproof.measures import Estimate, estimate

FEW_IMAGES = 20  # below this, bootstrap intervals come out too narrow


@dataclass(frozen=True)
class Ranking:
    """Methods by AOPC, best first, with paired 95 % intervals over images.

    Attributes:
        count: number of images.
        aopc: of each method, and of the reference.
        relative: each method's AOPC minus that of the random order, on the same images.
        differences: of each pair, the higher one first: its AOPC minus the other's, on the same images.
    """

    count: int
    aopc: dict[str, Estimate]
    relative: dict[str, Estimate]
    differences: dict[tuple[str, str], Estimate]

    @property
    def methods(self) -> list[str]:
        """Best first."""
        return list(self.relative)


def rank(values: Mapping[str, np.ndarray], reference: str) -> Ranking:
    """Ranks methods by their AOPC per image (N,); ``values`` holds the reference too."""
    methods = sorted((name for name in values if name != reference), key=lambda name: -float(values[name].mean()))
    return Ranking(
        count=len(values[reference]),
        aopc={name: estimate(values[name]) for name in (*methods, reference)},
        relative={name: estimate(values[name] - values[reference]) for name in methods},
        differences={(a, b): estimate(values[a] - values[b]) for a, b in combinations(methods, 2)},
    )


def verdict(ranking: Ranking) -> list[str]:
    """The answer, one sentence after the other."""
    if ranking.count < 2:
        best = ranking.methods[0]
        return [
            f"On this one image {best} has the highest AOPC ({ranking.aopc[best].mean:.3g}); one image says nothing "
            "about others: give more for a verdict."
        ]
    said = [_best(ranking), *_against_random(ranking), told_apart(ranking.methods, ranking.differences)]
    said.append(
        f"AOPC: higher is better. Intervals are 95 % bootstrap intervals over {ranking.count} images, paired, each by "
        "itself (not corrected for the number of comparisons)."
    )
    said.append(caution(ranking.count))
    return [sentence for sentence in said if sentence]


def caution(images: int) -> str:
    """What to say about intervals from few images; nothing about those from many."""
    if images >= FEW_IMAGES:
        return ""
    return f"With fewer than {FEW_IMAGES} images the intervals come out too narrow: take this as a first look."


def _best(ranking: Ranking) -> str:
    best = ranking.methods[0]
    relative = ranking.relative[best]
    if not relative.low > 0:
        return (
            f"No method is shown to explain better than the random order; {best} comes first with {relative} above it."
        )
    equals = [b for (a, b), difference in ranking.differences.items() if a == best and not difference.excludes_zero]
    shared = f", not told apart from {listed(equals)}" if equals else ""
    return f"{best} explains this network best on these images: AOPC {relative} above the random order{shared}."


def _against_random(ranking: Ranking) -> list[str]:
    better = [name for name, value in ranking.relative.items() if value.low > 0]
    worse = [name for name, value in ranking.relative.items() if value.high < 0]
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


def told_apart(names: Sequence[str], differences: Mapping[tuple[str, str], Estimate], what: str = "methods") -> str:
    """Which of these names, best first, separate from each other; nothing where there is one."""
    if not differences:
        return ""
    unclear = {a: [b for b in names if (a, b) in differences and not differences[a, b].excludes_zero] for a in names}
    pairs = [f"{a} from {listed(others)}" for a, others in unclear.items() if others]
    if not pairs:
        return f"All {what} separate from each other: {' > '.join(names)}."
    count = sum(map(len, unclear.values()))
    rest = "all other pairs separate" if count < len(differences) else "no pair separates"
    return f"Not told apart: {'; '.join(pairs)}; {rest}."


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
