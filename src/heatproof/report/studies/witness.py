"""Verdict and section of planted truth on the page of a comparison."""

from heatproof.report.page.page import Section
from heatproof.report.tables import Table
from heatproof.results.comparison import ComparisonResult
from heatproof.results.witness import SHARE, rank_agreement, shared_methods
from heatproof.wording import counted, listed


def verdict(found: ComparisonResult) -> list[str]:
    """Whether perturbation and planted truth rank the methods alike, and which methods fail both."""
    if found.truth is None:
        return []
    known = shared_methods(found.truth, found.ranking.methods)
    above = found.truth.above_chance[SHARE]
    said = []
    if len(known) > 1:
        tau = rank_agreement(found.truth, found.values, known)
        said.append(
            f"Planted truth ({counted(found.truth.pictures, 'picture')} in which the place of the evidence is known) "
            f"and region perturbation agree on the ranking with Kendall's τ = {tau} (1: alike, −1: backwards)."
        )
    failing = [name for name in known if not above[name].above and not _explains(found, name)]
    if failing:
        said.append(f"Failing both: {listed(failing)}.")
    return said


def _explains(found: ComparisonResult, name: str) -> bool:
    """Whether a method is shown to explain, or, by AOPC, to be better than the random order."""
    return found.evidence[name].shown if found.evidence else found.ranking.relative[name].above


def table(found: ComparisonResult) -> Table:
    """What both witnesses say of each method."""
    assert found.truth is not None
    measure = "ABPC" if found.symmetric else "AOPC"
    rows = []
    for name in shared_methods(found.truth, found.ranking.methods):
        share, excess = found.truth.estimates[SHARE][name], found.truth.above_chance[SHARE][name]
        explains, finds = ("yes" if one else "no" for one in (_explains(found, name), excess.above))
        rows.append((name, found.ranking.aopc[name].mean, explains, share.mean, share.low, share.high, finds))
    note = (
        f"Share: positive relevance in the right place, over {counted(found.truth.pictures, 'picture')}, with 95 % "
        f"intervals; chance is {found.truth.chance:.3g}; higher is better. Above chance: p ≤ 0.05 in a sign-flip test, "
        "Holm-corrected. Details: heatproof planted."
    )
    columns = (
        "method",
        measure,
        "shown" if found.symmetric else "above random",
        "share",
        "low",
        "high",
        "above chance",
    )
    return Table(columns, tuple(rows), (note,))


def sections(found: ComparisonResult) -> list[Section]:
    """A section where planted truth was asked."""
    if found.truth is None:
        return []
    return [Section("Planted truth", text=verdict(found), tables={"Perturbation and planted truth": table(found)})]
