"""Verdict, tables, charts and page of a comparison of methods."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.measures import MEASURES, Estimate, aopc_curve, estimate_curve
from heatproof.report.charts import Band, CurvesChart, Gallery
from heatproof.report.page.page import Page, Section
from heatproof.report.studies import audit, rounding, tuning, witness
from heatproof.report.studies.about import (
    BANDS,
    GALLERY,
    GALLERY_IMAGES,
    STEPS,
    depends_on,
    protocol_words,
    score_band,
    steps_of,
)
from heatproof.report.studies.evidence import (
    assay_chart,
    candidates_table,
    controls_table,
    evidence_verdict,
    methods_table,
    orders_chart,
    pairs_table,
)
from heatproof.report.studies.pictures import label, walks
from heatproof.report.studies.ranking import contrasts_table, ranking_verdict, settlement_verdict, unbeaten_controls
from heatproof.report.tables import Table
from heatproof.results.comparison import ComparisonResult
from heatproof.results.measured import estimates
from heatproof.results.part import REFERENCE
from heatproof.wording import counted

MANY = 3  # methods: from here on, their pairs make a matrix
P_VALUES = "p: sign-flip test against the random order, Holm-corrected for the number of methods. "


def main_verdict(found: ComparisonResult) -> list[str]:
    """The answer, one sentence after the other, without what the audit says."""
    said = evidence_verdict(found) if found.symmetric else ranking_verdict(found.ranking)
    race = settlement_verdict(found.settlement) if found.settlement else []
    return [*said, *race, *tuning.verdict(found), *witness.verdict(found)]


def verdict(found: ComparisonResult) -> list[str]:
    """The answer, one sentence after the other."""
    asked = audit.verdict(found.audit) if found.audit else []
    return [*main_verdict(found), *asked, *(rounding.verdict(found.rounding) if found.rounding else [])]


def warnings(found: ComparisonResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = [*found.notes]
    for method, conservation in found.conservation.items():
        said += conservation.warnings(method)
    if found.ranking.count > 1 and not found.symmetric:
        said += unbeaten_controls(found.ranking)
    if found.audit:
        said += audit.warnings(found.audit)
    if found.rounding:
        said += rounding.warnings(found.rounding)
    return said


def table(found: ComparisonResult) -> Table:
    """AOPC of each method, absolute and relative to the random order, best first; higher is better.

    Of a symmetric comparison, ABPC and both halves.
    """
    if found.symmetric:
        return methods_table(found)
    ranking = found.ranking
    rows: list[tuple[str | float | None, ...]] = []
    for name, value in ranking.aopc.items():
        relative = ranking.relative.get(name)
        kept = found.conservation.get(name)
        above = (relative.estimate.mean, relative.estimate.low, relative.estimate.high) if relative else (None,) * 3
        share = round(float(np.median(kept.kept)), 3) + 0.0 if kept else None  # no −0
        tested = relative.sign_flip if relative else None
        decided = tested if ranking.tested else ranking.counts[name]
        rows.append((name, value.mean, value.low, value.high, *above, decided, share))
    last = ("p" if ranking.tested else "images", "kept")
    columns = ("method", "AOPC", "low", "high", "above random", "above low", "above high", *last)
    note = (
        f"AOPC over {steps_of(found.morf[REFERENCE])} in units of the {found.protocol.unit}, mean over "
        f"{ranking.count} images and repeats ({found.protocol.repeats}), with 95 % intervals; higher is better. "
        f"{P_VALUES if ranking.tested else ''}Kept: the share of the score that LRP brings to the pixels (median)."
    )
    return Table(columns, tuple(rows), (note,))


def measures_table(found: Mapping[str, Mapping[str, Estimate]]) -> Table:
    """One row for each method, one column for each measure, with its direction."""
    known = [name for name in MEASURES if any(name in values for values in found.values())]
    arrows = {name: "↑" if MEASURES[name].higher_is_better else "↓" for name in known}
    rows = tuple(
        (method, *(str(values[name]) if name in values else None for name in known)) for method, values in found.items()
    )
    note = "Means over images with 95 % intervals; ↑ higher is better, ↓ lower is better. What they are: "
    columns = ("method", *(f"{name} {arrows[name]}" for name in known))
    return Table(columns, rows, (f"{note}heatproof list measures.",))


def differences_table(found: ComparisonResult) -> Table:
    """Paired differences of AOPC between methods, with intervals and corrected p-values."""
    return contrasts_table(found.ranking.differences, ("higher", "lower"))


def relative_chart(found: ComparisonResult) -> CurvesChart:
    """AOPC(L) minus that of the random order, with pointwise 95 % bands (higher is better)."""
    return CurvesChart(
        name="curves-relative",
        caption="AOPC above the random order",
        title="AOPC relative to the random order",
        x=STEPS,
        y="AOPC above random order",
        about=f"On the same images; {BANDS}. Higher is better.",
        bands=_above_random(found),
        removed_fraction=_removed(found),
    )


def score_chart(found: ComparisonResult) -> CurvesChart:
    """The mean score while regions are removed, most relevant first (a steeper fall is better)."""
    return CurvesChart(
        name="curves",
        caption="Score while regions are removed",
        x=STEPS,
        y=f"score ({found.protocol.unit})",
        about=f"Mean score of the target, most relevant regions removed first; {BANDS}. A steeper fall is better.",
        bands=[score_band(name, curves, is_reference=name == REFERENCE) for name, curves in found.morf.items()],
        removed_fraction=_removed(found),
    )


def gallery(found: ComparisonResult) -> Gallery:
    """The first of the pictures that the page shows, with their heatmaps."""
    few = found.shown.first(GALLERY_IMAGES)
    return Gallery(
        name="gallery",
        caption=GALLERY,
        images=few.colours,
        heatmaps={name: maps.numpy() for name, maps in few.heatmaps.items() if name in found.methods},
        captions=[f"{Path(found.names[number]).name}\n{label(found, number)}" for number in few.numbers],
    )


def page(found: ComparisonResult) -> Page:
    """Which method explains best: ranking, curves, pictures, all measures, the audit."""
    return Page(
        f"Comparison of heatmap methods on {found.network['name']}",
        verdict=main_verdict(found),
        about=[
            counted(len(found.names), "image"),
            counted(len(found.methods), "method"),
            *([counted(len(found.controls), "control")] if found.symmetric else []),
            steps_of(found.morf[REFERENCE]),
            *protocol_words(found.protocol),
            str(found.work),
        ],
        sections=[
            *_main_sections(found),
            *tuning.sections(found),
            *witness.sections(found),
            Section(
                "Picture by picture",
                text=[
                    "Move the slider to remove the regions of a picture, those that a method calls most relevant first."
                ],
                shown=walks(found),
                unit=f"score ({found.protocol.unit})",
                fallback=gallery(found) if found.shown.numbers else None,
            ),
            Section("Differences", tables={"Differences between methods on the same images": _pairs(found)}),
            Section(
                "All measures",
                tables={"All measures of these curves": measures_table(estimates(found.measured))},
            ),
            *audit.sections(found.audit, found.rounding),
        ],
        reproduce=depends_on(found.protocol.seed, len(found.names), found.network),
    )


def _main_sections(found: ComparisonResult) -> list[Section]:
    """The ranking, and the curves that it is made of."""
    if not found.symmetric:
        return [
            Section("Ranking", tables={"Area over the perturbation curve": table(found)}),
            Section("Curves", charts=[relative_chart(found), score_chart(found)]),
        ]
    return [
        Section("Methods and controls", charts=[assay_chart(found)], tables=_tables(found)),
        Section("Curves", charts=[orders_chart(found)]),
    ]


def _tables(found: ComparisonResult) -> dict[str, Table]:
    tables = {"Area between the perturbation curves": table(found)}
    if found.controls:
        tables["Controls"] = controls_table(found)
    if found.choice:
        tables["Protocols on the pilot"] = candidates_table(found.choice.candidates, len(found.choice.images))
    return tables


def _pairs(found: ComparisonResult) -> Table:
    many = found.symmetric and len(found.ranking.methods) > MANY
    return pairs_table(found) if many else differences_table(found)


def describe(found: ComparisonResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    return {
        "study": "compare",
        "network": dict(found.network),
        "protocol": found.protocol.describe() | {"steps": found.morf[REFERENCE].steps},
        "methods": list(found.heatmaps),
        "images": dict(zip(found.names, found.identities, strict=True)),
        "notes": list(found.notes),
        "conservation": {name: one.summary() for name, one in found.conservation.items()},
        "audit": found.audit and found.audit.describe(),
        "rounding": found.rounding and found.rounding.describe(),
        "settlement": found.settlement and found.settlement.describe(),
        "assay": found.assay and found.assay.describe(),
        "choice": found.choice and found.choice.describe(),
        "measures": {
            method: {name: asdict(value) for name, value in values.items()}
            for method, values in estimates(found.measured).items()
        },
        "work": found.work.describe(),
        "tuned": tuning.describe(found),
    }


def _removed(found: ComparisonResult) -> np.ndarray:
    """(L + 1,) share of the image that is removed after each step."""
    removed: np.ndarray = found.morf[REFERENCE].mean_removed.numpy()
    return removed


def _above_random(found: ComparisonResult) -> list[Band]:
    """AOPC(L) minus that of the random order on the same images, with pointwise 95 % intervals."""
    other = aopc_curve(found.morf[REFERENCE]).double().numpy()
    bands = []
    for name in (name for name in found.morf if name != REFERENCE):
        values = aopc_curve(found.morf[name]).double().numpy()
        both = min(len(values), len(other))
        bands.append(Band(name, *estimate_curve(values[:both] - other[:both]), at=found.morf[name].ends.numpy()))
    return bands
