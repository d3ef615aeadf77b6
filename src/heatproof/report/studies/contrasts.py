"""Differences on the same images as a table, and which names separate, in words."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from heatproof.report.tables import Table
from heatproof.results.contrasts import ERROR, Contrast
from heatproof.results.ranking import FEW_IMAGES
from heatproof.wording import listed

Names = TypeVar("Names", bound=tuple[str, ...])

PAIRED = (
    "On the same images, with 95 % intervals that stand each for itself. The p-values of the sign-flip test of the "
    "mean and of Wilcoxon's signed-rank test are corrected for the number of pairs (Holm); pairs separate where "
    f"the sign-flip test gives {ERROR} or less."
)


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


def caution(images: int, comparisons: int = 1) -> str:
    """What to say about few images; nothing about many.

    >>> caution(8, comparisons=3)
    ''
    >>> caution(8, comparisons=28)
    'With 8 images no test can tell 28 differences from chance: take this as a first look.'
    """
    if comparisons * 2.0 ** (1 - images) > ERROR:  # 2^(1 − N): the least p-value, when all images point one way
        differences = "a difference" if comparisons == 1 else f"{comparisons} differences"
        return f"With {images} images no test can tell {differences} from chance: take this as a first look."
    if images < FEW_IMAGES:
        return f"With fewer than {FEW_IMAGES} images little is seen of how values spread: take this as a first look."
    return ""
