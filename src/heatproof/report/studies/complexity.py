"""Verdict, tables, charts and page of the complexity of heatmaps."""

from typing import Any

import numpy as np

from heatproof.measures.complexity import encoders
from heatproof.report.charts import BoxesChart, ScatterChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies import heatmaps_alone
from heatproof.report.studies.about import depends_on
from heatproof.report.tables import Table
from heatproof.results.complexity import QUANTITIES, ComplexityResult
from heatproof.results.contrasts import ahead
from heatproof.wording import counted


def verdict(found: ComplexityResult) -> list[str]:
    """The answer, one sentence for each quantity."""
    sentences = [_sentence(found, quantity) for quantity in QUANTITIES]
    return [*sentences, "A simple heatmap is easier to read; whether it is right is another question (compare)."]


def warnings(found: ComplexityResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = [*found.found.notes]
    for name, values in found.values["entropy"].items():
        empty = int((values == 0).sum())
        if empty:
            said.append(
                f"{empty} of {len(values)} heatmaps of {name} have a single colour: they are simple, but show nothing"
            )
    return said


def table(found: ComplexityResult) -> Table:
    """Means of each method, smallest PNG files first, as Table I of the paper."""
    rows: list[tuple[str | float, ...]] = [
        (name, *[found.estimates[quantity][name].mean for quantity in QUANTITIES]) for name in found.ordered("PNG")
    ]
    note = (
        f"Means over {len(found.names)} images. File sizes in KB (1000 bytes) of the heatmap's picture as PNG and "
        "as JPEG of quality 90, entropy of its grey levels in bits: lower is simpler. Gini coefficient of "
        "|relevance|: higher is simpler."
    )
    return Table(("method", "PNG (KB)", "JPEG (KB)", "entropy (bits)", "Gini"), tuple(rows), (note,))


def intervals_table(found: ComplexityResult) -> Table:
    """Means with 95 % intervals, simplest first."""
    units = {quantity: quantity + one.unit.replace(" ", ", ") for quantity, one in QUANTITIES.items()}
    return heatmaps_alone.intervals_table(found, units)


def differences_table(found: ComplexityResult) -> Table:
    """Paired differences between methods, with intervals and corrected p-values."""
    return heatmaps_alone.differences_table(found, "simpler")


def page(found: ComplexityResult) -> Page:
    """How complex heatmaps are: sizes of files, entropy (the paper's Figure 5), pictures."""
    png, jpeg = found.values["PNG"], found.values["JPEG"]
    sizes = ScatterChart(
        name="sizes",
        caption="File sizes of heatmaps",
        x="PNG (KB)",
        y="JPEG, quality 90 (KB)",
        about="One point per image; lower is simpler.",
        points={name: np.stack([png[name], jpeg[name]], axis=1) for name in found.heatmaps},
    )
    entropy = BoxesChart(
        name="entropy",
        caption="Entropy of heatmaps",
        x="entropy (bits)",
        y="method",
        about="Entropy of the grey levels of each heatmap; lower is simpler.",
        values=found.values["entropy"],
    )
    labels = [f"PNG {', '.join(f'{size:.0f}' for size in row)} KB" for row in zip(*png.values(), strict=True)]
    versions = ", ".join(f"{name} {version}" for name, version in encoders()["versions"].items())
    return Page(
        f"How complex are heatmaps of {found.network['name']}?",
        about=[counted(len(found.names), "image"), counted(len(found.heatmaps), "method")],
        sections=[
            Section("Complexity", tables={"Means": table(found)}),
            Section("Charts", charts=[sizes, entropy]),
            heatmaps_alone.pictures_section(found, labels),
            heatmaps_alone.intervals_section(intervals_table(found), differences_table(found)),
        ],
        reproduce=f"{depends_on(0, len(found.names), found.network)}. File sizes: {versions}",
    )


def describe(found: ComplexityResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    return {
        "study": "complexity",
        "network": dict(found.network),
        "methods": list(found.heatmaps),
        "images": list(found.names),
        "encoders": encoders(),
    }


def _sentence(found: ComplexityResult, quantity: str) -> str:
    what, unit = QUANTITIES[quantity].sentence, QUANTITIES[quantity].unit
    methods, means = found.ordered(quantity), found.estimates[quantity]
    first, last = methods[0], methods[-1]
    if len(methods) == 1:
        return f"{what} of {first}: {means[first]}{unit}."
    said = (
        f"{what}: {first} is simplest ({means[first].mean:.3g}{unit}), "
        f"{last} most complex ({means[last].mean:.3g}{unit})"
    )
    gap = ahead(found.differences, (quantity, first, methods[1]))
    if gap is None:
        return f"{said}."
    is_ahead = "is significantly simpler than" if gap.above else "is not significantly simpler than"
    return f"{said}; {first} {is_ahead} {methods[1]} on the same images ({gap.estimate}{unit})."
