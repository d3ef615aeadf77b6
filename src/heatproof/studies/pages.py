"""What the page of each study says, beside its verdict, warnings, and how to make it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from heatproof.report import counted
from heatproof.report.page import (
    Chart,
    Page,
    Section,
    Shown,
    Walk,
    Words,
    boxes_chart,
    curves_chart,
    scatter_chart,
    series_chart,
)
from heatproof.studies.bands import counted_steps, relative_bands, score_band
from heatproof.studies.shown import as_bytes
from heatproof.studies.task import REFERENCE

if TYPE_CHECKING:
    from heatproof.perturbation import Protocol
    from heatproof.studies.assessment import Assessment
    from heatproof.studies.audited import Audit
    from heatproof.studies.between import ReplacementComparison
    from heatproof.studies.comparison import Comparison
    from heatproof.studies.simplicity import Simplicity

Figures = Mapping[str, Figure]
STEPS = "removed regions"
GALLERY = "Images and heatmaps; red is evidence for the class, blue against it"
BANDS = "bands are pointwise 95 % intervals"


def comparison_page(study: "Comparison", figures: Figures) -> Page:
    """Which method explains best: ranking, curves, pictures, all measures, the audit."""
    return Page(
        f"Heatmaps of {study.network['name']} put to the proof",
        verdict=study.main_verdict,
        about=[
            counted(len(study.names), "image"),
            counted(len(study.heatmaps), "method"),
            counted_steps(study.morf[REFERENCE]),
            *_protocol(study.protocol),
            str(study.work),
        ],
        sections=[
            Section("Ranking", tables={"Area over the perturbation curve": study.table()}),
            Section("Curves", charts=_comparison_charts(study, figures)),
            Section(
                "Picture by picture",
                text=["Move the slider to see each picture destroyed, the regions first that a method calls relevant."],
                shown=study.shown.walks(study.names, study.label, study.morf, study.protocol),
                unit=f"score ({study.protocol.score})",
                fallback=(GALLERY, figures["gallery"]) if "gallery" in figures else None,
            ),
            Section(
                "Differences", tables={"Differences between methods on the same images": study.differences_table()}
            ),
            Section("All measures", tables={"All measures of these curves": study.measures_table()}),
            *([_audit(study.audit, figures["audit"])] if study.audit else []),
        ],
    )


def replacements_page(study: "ReplacementComparison", figures: Figures) -> Page:
    """What a removed region should become: areas between curves, and what becomes of the first images."""
    captions = "The first images after the last step, most relevant regions first"
    return Page(
        f"Replacements put to the proof on {study.first.network['name']}",
        about=[
            counted(len(study.names), "image"),
            counted(len(study.both), "replacement"),
            counted_steps(next(iter(study.both.values())).morf),
            f"heatmaps by {study.method}",
            str(study.work),
        ],
        sections=[
            Section(
                "Ranking",
                tables={
                    "Area between the perturbation curves": study.table(),
                    "Differences between replacements on the same images": study.differences_table(),
                },
            ),
            Section(
                "Curves",
                text=[
                    "Mean score while regions are removed, least relevant first (LeRF) and most relevant first (MoRF); "
                    f"{BANDS}. ABPC is the area between the two, divided by the number of steps + 1."
                ],
                charts=_areas(study),
                fallback=("Areas between the curves", figures["areas"]),
            ),
            Section("Pictures", figures={captions: figures["examples"]}),
        ],
    )


def complexity_page(study: "Simplicity", figures: Figures) -> Page:
    """How complex heatmaps are: sizes of files, entropy, pictures."""
    sizes = Words(
        "File sizes of heatmaps", "PNG (KB)", "JPEG, quality 90 (KB)", "One point per image; lower is simpler."
    )
    entropy = Words("Entropy of heatmaps", "entropy (bits)", "method", "Of the grey levels; lower is simpler.")
    sizes_of = zip(*study.values["PNG"].values(), strict=True)
    labels = [f"PNG {', '.join(f'{size:.0f}' for size in row)} KB" for row in sizes_of]
    return Page(
        f"How complex are heatmaps of {study.network['name']}?",
        about=[counted(len(study.names), "image"), counted(len(study.heatmaps), "method")],
        sections=[
            Section("Complexity", tables={"Means": study.table()}),
            Section(
                "Charts",
                charts=[
                    scatter_chart(study.sizes, sizes, static=figures["sizes"]),
                    boxes_chart(study.values["entropy"], entropy, static=figures["entropy"]),
                ],
            ),
            Section(
                "Pictures",
                shown=_maps(study.colours, study.names, labels, study.heatmaps),
                fallback=(GALLERY, figures["gallery"]),
            ),
            Section(
                "Intervals",
                tables={
                    "Means with 95 % intervals": study.intervals_table(),
                    "Differences between methods on the same images": study.differences_table(),
                },
            ),
        ],
    )


def assessment_page(study: "Assessment", figures: Figures) -> Page:
    """Which checkpoint has the best heatmaps: quantities over checkpoints, pictures."""
    tables = {"Checkpoints": study.table()}
    if study.rank_correlations:
        tables["Rank correlation with the accuracy"] = study.correlations()
    maps = {name: found.heatmaps.float().cpu().numpy() for name, found in study.checkpoints.items()}
    labels = [f"heatmaps by {study.method}"] * len(study.colours)
    return Page(
        f"Checkpoints of {study.topology}, judged by their heatmaps",
        about=[
            counted(len(study.names), "image"),
            counted(len(study.checkpoints), "checkpoint"),
            f"heatmaps by {study.method}",
            *_protocol(study.protocol),
            str(study.work),
        ],
        sections=[
            Section("Checkpoints", tables=tables),
            Section(
                "Over the checkpoints",
                charts=_quantities(study),
                fallback=("Quality of the heatmaps over the checkpoints", figures["training"]),
            ),
            Section(
                "Pictures",
                shown=_maps(study.colours, study.names, labels, maps),
                fallback=(GALLERY, figures["gallery"]),
            ),
            Section("Intervals", tables={"With 95 % intervals over images": study.intervals()}),
        ],
    )


def explanations_page(
    network: str, names: Sequence[str], labels: Sequence[str], colours: np.ndarray, maps: Mapping[str, np.ndarray]
) -> Page:
    """What methods see in some pictures, nothing measured."""
    return Page(
        f"Heatmaps of {network}",
        about=[counted(len(names), "picture"), counted(len(maps), "method")],
        sections=[Section("Pictures", shown=_maps(colours, names, labels, maps))],
    )


def _protocol(protocol: "Protocol") -> list[str]:
    regions = str(protocol.describe()["regions"])
    return [
        f"regions of {regions} × {regions} pixels" if regions.isdecimal() else f"regions {regions}",
        f"replacement {protocol.replacement}",
        counted(protocol.repeats, "repeat"),
        f"seed {protocol.seed}",
    ]


def _comparison_charts(study: "Comparison", figures: Figures) -> list[Chart]:
    above = Words(
        "AOPC above the random order",
        STEPS,
        "AOPC above random order",
        f"On the same images; {BANDS}. Higher is better.",
    )
    score = Words(
        "Score while regions are removed",
        STEPS,
        f"score ({study.protocol.score})",
        f"Of the target, most relevant regions first; {BANDS}. A steeper fall is better.",
    )
    bands = [score_band(name, curves, is_reference=name == REFERENCE) for name, curves in study.morf.items()]
    return [
        curves_chart(relative_bands(study.morf, REFERENCE), above, static=figures["curves-relative"]),
        curves_chart(bands, score, static=figures["curves"]),
    ]


def _audit(audit: "Audit", figure: Figure) -> Section:
    words = Words(
        "Random regions are removed, to the end",
        STEPS,
        "probability of the predicted class",
        f"How far a replacement alone drives images off what the network knows (R-OMS); {BANDS}. Higher is nearer.",
    )
    chart = curves_chart(audit.bands, words, kind="replacements", static=figure, limits=(0, 1))
    return Section("Off-manifold audit", text=audit.verdict, charts=[chart], tables=audit.tables())


def _areas(study: "ReplacementComparison") -> list[Chart]:
    """A chart for each replacement, all with the same axis."""
    pairs = {
        spec: [score_band("LeRF", study.both[spec].lerf), score_band("MoRF", study.both[spec].morf)]
        for spec in study.abpc
    }
    bands = [band for pair in pairs.values() for band in pair]
    low = min(float(np.nanmin([band.middle, band.low])) for band in bands)
    high = max(float(np.nanmax([band.middle, band.high])) for band in bands)
    room = 0.04 * (high - low)
    unit = f"score ({study.protocol.score})"
    return [
        curves_chart(
            pairs[spec],
            Words(f"{spec}: ABPC {value}", STEPS, unit),
            kind="orders",
            limits=(low - room, high + room),
        )
        for spec, value in study.abpc.items()
    ]


def _quantities(study: "Assessment") -> list[Chart]:
    beside = study.accuracy_band
    return [
        series_chart(band, list(study.checkpoints), Words(band.name, "checkpoint", band.name), beside=beside)
        for band in study.bands
    ]


def _maps(
    colours: np.ndarray, names: Sequence[str], labels: Sequence[str], maps: Mapping[str, np.ndarray]
) -> list[Shown]:
    """Pictures (n, H, W, 3) with their heatmaps (n, H, W); nothing is removed."""
    pixels = as_bytes(colours)
    return [
        Shown(Path(names[i]).name, labels[i], pixels[i], [Walk(name, heatmap=found[i]) for name, found in maps.items()])
        for i in range(len(pixels))
    ]
