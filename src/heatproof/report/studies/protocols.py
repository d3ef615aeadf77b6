"""Verdict, table, charts and page of a comparison of protocols."""

import re
import shlex
from dataclasses import replace
from typing import Any

from heatproof.report.charts import RangesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.about import depends_on, images_of_cells, notes_of_cells
from heatproof.report.studies.evidence import assay_chart, candidates_table
from heatproof.report.studies.ranking import caution
from heatproof.report.tables import Table
from heatproof.results.choice import MARGIN, Candidate, Choice
from heatproof.results.protocol_comparison import ProtocolResult
from heatproof.wording import counted, listed


def verdict(found: ProtocolResult) -> list[str]:
    """Which protocol to take, and which cannot judge."""
    best = found.recommended
    failing = [one for one in found.candidates.values() if not one.works]
    first = (
        _take(best, list(found.candidates.values()))
        if best
        else f"None of these protocols can judge on this network with {counted(len(found.names), 'image')}; give more "
        "images or other candidates."
    )
    said = [first, *(_why(one) for one in failing)]
    if best:
        said.append(
            "These images chose it, so judge methods on others, as 'heatproof compare' with --protocol auto does."
        )
    return [*said, few] if (few := caution(len(found.names))) else said


def _take(best: Candidate, candidates: list[Candidate]) -> str:
    """The recommendation; another may separate more clearly, but not by enough."""
    first = f"Take {best.name} (--protocol {shlex.quote(best.name)}): it tells the best map from its strongest control"
    clearest = max((one for one in candidates if one.works), key=lambda one: one.separation)
    if clearest is best:
        return f"{first} most clearly, by {best.separation:.2f} standard deviations of the images."
    return (
        f"{first} by {best.separation:.2f} standard deviations of the images. {clearest.name} does so by "
        f"{clearest.separation:.2f}, which is less than {MARGIN} more, and may be chance."
    )


def _why(one: Candidate) -> str:
    if one.scattered:
        return (
            f"{one.name} cannot judge: removing first what {listed(one.scattered)} marks, which never saw the network, "
            "harms less than removing at random; scattered removal harms more than compact removal."
        )
    return f"{one.name} cannot judge: no map lies above all its controls."


def warnings(found: ProtocolResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    return list(notes_of_cells(found))


def table(found: ProtocolResult) -> Table:
    """One row for each protocol, the clearest separation first."""
    return candidates_table(list(found.candidates.values()), len(found.names))


def page(found: ProtocolResult) -> Page:
    """Which protocol can judge: the table, and methods and controls under each."""
    return Page(
        f"Which protocol can judge on {found.first.network['name']}?",
        about=[
            counted(len(found.names), "image"),
            counted(len(found.cells), "protocol"),
            counted(len(found.first.methods), "method"),
            str(found.work),
        ],
        sections=[
            Section(
                "Protocols",
                charts=[_chart(found, name) for name in found.candidates],
                tables={"Protocols": table(found)},
            )
        ],
        reproduce=depends_on(found.protocol.seed, len(found.names), found.first.network),
    )


def _chart(found: ProtocolResult, name: str) -> RangesChart:
    return replace(
        assay_chart(found.cells[name]),
        name=f"assay-{re.sub(r'[^a-z0-9.]+', '-', name.lower()).strip('-')}",
        caption=f"{name}: methods and controls",
    )


def describe(found: ProtocolResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    choice = Choice(tuple(found.candidates.values()), found.names, (), "")
    return {
        "study": "protocol",
        "network": dict(found.first.network),
        "recommended": found.recommended.name if found.recommended else None,
        "candidates": choice.describe()["candidates"],
        "work": found.work.describe(),
        **images_of_cells(found),
    }
