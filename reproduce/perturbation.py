"""Figures 4 and 6: which heatmaps explain, by region perturbation, on all networks at hand."""

from collections.abc import Iterator
from pathlib import Path

import heatproof as hp
from heatproof.measures.generality import in_general
from heatproof.report import Table
from heatproof.report.studies.survey_tables import matrix_table
from heatproof.results.part import REFERENCE
from heatproof.results.survey import SurveyResult
from reproduce.cells import SURVEY, Size
from reproduce.results import Result

RUN = Path(__file__).parent / "results" / "survey"
PAPER = (
    "on all three data sets LRP (ε = 0.01 slightly above αβ) > deconvolution > random; sensitivity starts above random "
    "on ILSVRC2012 and Places and lies below random on SUN397; gaps are far larger on ILSVRC2012. LRP's heatmaps are "
    "sparse and show evidence for and against, sensitivity's are noisy, deconvolution's follow edges."
)
ALPHABETA, EPSILON = "lrp-alphabeta", "lrp-epsilon[epsilon=0.01]"
CLAIMS = (  # of the paper: what is better than what
    (ALPHABETA, REFERENCE),
    (EPSILON, REFERENCE),
    ("deconvolution-l2", REFERENCE),
    ("sensitivity-l2", REFERENCE),
    (ALPHABETA, "deconvolution-l2"),
    (ALPHABETA, "sensitivity-l2"),
    (EPSILON, "deconvolution-l2"),
    (EPSILON, "sensitivity-l2"),
    (EPSILON, ALPHABETA),
    ("deconvolution-l2", "sensitivity-l2"),
)


def run(size: Size) -> Iterator[Result]:
    """The survey, and how many of its comparisons say what the paper found; pictures are in each one's page."""
    study = hp.survey(SURVEY, RUN)
    result = Result("figure4", "Figures 4 and 6: which heatmaps explain", PAPER)
    result.text += [*study.verdict, *study.warnings, f"Pictures: {RUN.name}/report.html and the pages it links."]
    for protocol in study.protocols:
        result.add(f"The paper's findings under {protocol}", claims_table(study, protocol))
        result.add(f"Effect sizes under {protocol}", matrix_table(study, protocol))
    yield result


def claims_table(study: SurveyResult, protocol: str) -> Table:
    """For each finding of the paper: in how many comparisons and networks it is found, and whether it is in general."""
    rows = tuple((f"{first} > {second}", *_found(study, protocol, first, second)) for first, second in CLAIMS)
    columns = ("finding", "comparisons", "significant", "reversed", "networks", "by sign", "d", "low", "high")
    note = (
        "Significant, reversed: comparisons with a significant difference, Holm-corrected within each. By sign: "
        "networks whose mean effect size is above zero. d: mean over networks, with Student's interval over them."
    )
    return Table(columns, rows, (note,))


def _found(study: SurveyResult, protocol: str, first: str, second: str) -> tuple[float | int, ...]:
    """A row of the table, without the finding."""
    cells = [one for one in study.judged(protocol) if one.advantage(first, second) is not None]
    above = sum(one.is_above(first, second) for one in cells)
    below = sum(one.is_above(second, first) for one in cells)
    by_network = study.advantages(protocol, first, second)
    d = in_general(by_network).estimate
    return len(cells), above, below, len(by_network), int((by_network > 0).sum()), d.mean, d.low, d.high
