"""Verdict, table and section of methods that were tuned: promised, and held out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from heatproof.report.page.page import Section
from heatproof.report.tables import Table
from heatproof.results.comparison import ComparisonResult
from heatproof.results.tuning import TunedMethod, tuned_methods
from heatproof.wording import counted

HEADING = "Tuned methods"


def verdict(found: ComparisonResult) -> list[str]:
    """What choosing among variants is worth, one sentence for each tuned method."""
    return [
        f"Choosing among {counted(len(one.variants), 'variant')} of {one.name} promises {_measure(found)} "
        f"{one.promised:.3g} ({one.winner}, on the images that chose it) and gives {one.held_out} (on images that did "
        "not)."
        for one in tuned_methods(found)
    ]


def _measure(found: ComparisonResult) -> str:
    return "ABPC" if found.symmetric else "AOPC above the random order of"


def table(tuned: Sequence[TunedMethod]) -> Table:
    """Promised and held-out value of each tuned method: ABPC, or AOPC above the random order."""
    rows = tuple(
        (one.name, one.promised, one.held_out.mean, one.held_out.low, one.held_out.high, one.winner, _chosen(one))
        for one in tuned
    )
    note = (
        "ABPC, or AOPC above the random order; higher is better. Promised: the mean of the best variant on the images "
        "that chose it, which is biased upwards. Held out: the mean over images, each half of which measures the "
        "variant that the other half chose, with its 95 % interval: compare this with other methods. Chosen: by the "
        "halves."
    )
    return Table(("tuned method", "promised", "held out", "low", "high", "best variant", "chosen"), rows, (note,))


def sections(found: ComparisonResult) -> list[Section]:
    """A section where there are tuned methods."""
    tuned = tuned_methods(found)
    return [Section(HEADING, tables={"Promised and held out, of methods with variants": table(tuned)})] if tuned else []


def describe(found: ComparisonResult) -> dict[str, Any]:
    """The tuned methods as JSON-able values, by name."""
    return {one.name: asdict(one) for one in tuned_methods(found)}


def _chosen(one: TunedMethod) -> str:
    """How often each variant was chosen, most often first."""
    often = sorted(set(one.chosen), key=lambda variant: -one.chosen.count(variant))
    return "; ".join(f"{variant} in {one.chosen.count(variant)} of {len(one.chosen)}" for variant in often)
