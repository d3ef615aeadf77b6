"""Verdict, tables, charts and page of a comparison of replacements."""

from pathlib import Path
from typing import Any

import torch

from heatproof.measures import aopc
from heatproof.perturbation import Curves
from heatproof.perturbation.replacing import with_removed
from heatproof.report.charts import AreasChart, Panel, PictureRows
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.about import (
    BANDS,
    STEPS,
    depends_on,
    images_of_cells,
    notes_of_cells,
    score_band,
    steps_of,
)
from heatproof.report.studies.ranking import caution, contrasts_table, significance, significant_pairs
from heatproof.report.tables import Table
from heatproof.results.chosen import as_colours
from heatproof.results.replacement_comparison import ReplacementResult
from heatproof.wording import counted, listed

EXAMPLES = 4


def verdict(found: ReplacementResult) -> list[str]:
    """The answer, one sentence after the other."""
    best, *_ = found.abpc
    if len(found.names) < 2:
        return [
            f"On this one image {best} leaves the largest area between the curves ({found.abpc[best].mean:.3g}); "
            "one image says nothing about others: give more for a verdict."
        ]
    unclear = [spec for spec, effect in found.effects.items() if not effect.significant]
    negative = [spec for spec, effect in found.effects.items() if effect.below]
    said = [
        f"The area between the curves is largest with {best}: ABPC {found.abpc[best]}.",
        significant_pairs(list(found.abpc), found.differences, "replacements"),
        _harmless(found),
        f"No significant difference between MoRF and LeRF with {listed(unclear)}." if unclear else "",
        f"MoRF falls significantly less than LeRF with {listed(negative)}." if negative else "",
        f"ABPC of {found.method}: higher is better. {significance(len(found.names))}",
        caution(len(found.names), max(len(found.effects), len(found.differences))),
    ]
    return [sentence for sentence in said if sentence]


def warnings(found: ReplacementResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    leaks = found.conservation.warnings(found.method) if found.conservation else []
    return [*notes_of_cells(found), *leaks]


def table(found: ReplacementResult) -> Table:
    """ABPC of each replacement with its interval, and the AOPC of both curves, the largest ABPC first."""
    rows = tuple(
        (spec, value.mean, value.low, value.high, _mean_aopc(found.both[spec].morf), _mean_aopc(found.both[spec].lerf))
        for spec, value in found.abpc.items()
    )
    note = (
        f"ABPC of {found.method} over {_steps(found)} in units of the {found.protocol.unit}, mean over "
        f"{len(found.names)} images and repeats ({found.protocol.repeats}), with 95 % intervals; higher is better. "
        "It is the AOPC of MoRF (higher is better) minus that of LeRF (lower is better)."
    )
    return Table(("replacement", "ABPC", "low", "high", "AOPC MoRF", "AOPC LeRF"), rows, (note,))


def differences_table(found: ReplacementResult) -> Table:
    """Paired differences of ABPC between replacements, with intervals and corrected p-values."""
    return contrasts_table(found.differences, ("larger", "smaller"))


def areas_chart(found: ReplacementResult) -> AreasChart:
    """MoRF and LeRF curves of each replacement with the area between them, as in Figure 8 of [Samek2017]."""
    return AreasChart(
        name="areas",
        caption="Areas between the curves",
        title=f"Score while regions are removed, by what they become ({found.method})",
        x=STEPS,
        y=f"score ({found.protocol.unit})",
        panels=[
            Panel(
                spec,
                f"ABPC {value}",
                score_band("LeRF", found.both[spec].lerf),
                score_band("MoRF", found.both[spec].morf),
            )
            for spec, value in found.abpc.items()
        ],
    )


def examples(found: ReplacementResult) -> PictureRows:
    """The first images after all steps, most relevant regions first, with each replacement."""
    few = found.first.shown.first(EXAMPLES)
    numbers, regions = list(few.numbers), few.regions(found.protocol)
    pictures = {"image": few.images}
    for spec in found.abpc:
        morf = found.both[spec].morf
        removed = torch.stack(
            [
                torch.isin(one, morf.of(slice(number, number + 1)).orders[0, 0])
                for one, number in zip(regions, numbers, strict=True)
            ]
        )
        pictures[spec] = with_removed(few.images, removed, morf.protocol, [morf.images[number] for number in numbers])
    return PictureRows(
        name="examples",
        caption="The first images after the last step, most relevant regions first",
        title=f"The {found.steps} most relevant regions removed",
        pictures={name: as_colours(shown) for name, shown in pictures.items()},
        captions=[f"{Path(found.names[number]).name}\n{found.classes[number]}" for number in numbers],
    )


def page(found: ReplacementResult) -> Page:
    """What a removed region should become: areas between curves, and what becomes of the first images."""
    return Page(
        f"Comparison of replacements on {found.first.network['name']}",
        about=[
            counted(len(found.names), "image"),
            counted(len(found.both), "replacement"),
            _steps(found),
            f"heatmaps by {found.method}",
            str(found.work),
        ],
        sections=[
            Section(
                "Ranking",
                tables={
                    "Area between the perturbation curves": table(found),
                    "Differences between replacements on the same images": differences_table(found),
                },
            ),
            Section(
                "Curves",
                text=[
                    "Mean score while regions are removed, least relevant first (LeRF) and most relevant first (MoRF); "
                    f"{BANDS}. ABPC is the area between the two, divided by the number of steps + 1."
                ],
                charts=[areas_chart(found)],
            ),
            Section("Pictures", figures=[examples(found)]),
        ],
        reproduce=depends_on(found.protocol.seed, len(found.names), found.first.network),
    )


def describe(found: ReplacementResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    described = {spec: both.morf.protocol.describe() for spec, both in found.both.items()}
    shared = found.protocol.describe() | {"steps": found.steps}
    del shared["replacement"], shared["statistics"]
    return {
        "study": "replacements",
        "network": dict(found.first.network),
        "protocol": shared,
        "method": found.method,
        "replacements": {
            spec: {"statistics": described[spec]["statistics"], "engine": str(both.engine)}
            for spec, both in found.both.items()
        },
        **images_of_cells(found),
        "conservation": found.conservation.summary() if found.conservation else None,
        "work": found.work.describe(),
    }


def _harmless(found: ReplacementResult) -> str:
    """Where removing what is least relevant moves the score least, and where most (off the manifold)."""
    if len(found.both) < 2:
        return ""
    falls = {spec: _mean_aopc(both.lerf) for spec, both in found.both.items()}
    least, most = (choose(falls, key=lambda spec: abs(falls[spec])) for choose in (min, max))
    return (
        f"Removing what is least relevant should cost nothing: AOPC LeRF is nearest to 0 with {least} "
        f"({falls[least]:.3g}), and farthest with {most} ({falls[most]:.3g})."
    )


def _steps(found: ReplacementResult) -> str:
    return steps_of(next(iter(found.both.values())).morf)


def _mean_aopc(curves: Curves) -> float:
    return float(aopc(curves).double().mean())
