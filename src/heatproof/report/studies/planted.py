"""What is said of heatmaps on mosaics, of which it is known where the evidence for a class lies."""

from pathlib import Path
from typing import Any

from heatproof.report.charts import BoxesChart, Gallery
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.about import GALLERY, depends_on
from heatproof.report.studies.pictures import still
from heatproof.report.studies.ranking import caution, contrasts_table, told_apart
from heatproof.report.tables import Table
from heatproof.results.contrasts import ERROR
from heatproof.results.planted import PlantedResult
from heatproof.wording import counted, listed

ASSUMES = (
    "Only classes that the network still sees in the mosaic are measured. Tiles are small pictures, and a neighbour "
    "may hold evidence for a class, too: read the shares beside a comparison by perturbation, not instead of one."
)


def verdict(found: PlantedResult) -> list[str]:
    """The answer, one sentence after the other."""
    best, means = found.methods[0], found.estimates
    pointing = found.ordered("pointing")[0]
    pairs = {(a, b): one for (quantity, a, b), one in found.differences.items() if quantity == "share"}
    said = [
        f"{best} has the largest share of its positive relevance in the right tile: {means['share'][best]}, where "
        f"chance is {found.chance:.3g}.",
        *_against_chance(found),
        told_apart(found.methods, pairs),
        f"Pointing game: the largest value lies in the right tile most often for {pointing} "
        f"({means['pointing'][pointing]}).",
        f"Intervals are 95 % intervals over {counted(found.mosaics, 'mosaic')}, tiles of a mosaic averaged first.",
        caution(found.mosaics, max(len(found.methods), len(pairs)), what="mosaic"),
    ]
    return [sentence for sentence in said if sentence]


def _against_chance(found: PlantedResult) -> list[str]:
    contrasts = found.above_chance["share"]
    better = [name for name in found.methods if contrasts[name].above]
    worse = [name for name in found.methods if contrasts[name].below]
    neither = [name for name in found.methods if name not in (*better, *worse)]
    significance = f"(p ≤ {ERROR:g}, Holm-corrected)"
    return [
        f"{words}: {listed(names)}."
        for words, names in (
            (f"Significantly above chance {significance}", better),
            (f"Significantly below chance {significance}", worse),
            ("Not significantly different from chance", neither),
        )
        if names
    ]


def warnings(found: PlantedResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = list(found.notes)
    if found.unused:
        said.append(
            f"{counted(found.unused, 'photograph')} of {len(found.names)} {'is' if found.unused == 1 else 'are'} in no "
            "mosaic: there are too few of other classes, or not enough for one more"
        )
    for name, count in found.without_evidence.items():
        if count:
            said.append(
                f"{count} of {len(found.places)} heatmaps of {name} have no positive relevance, and count as chance"
            )
    return said


def table(found: PlantedResult) -> Table:
    """Both measures of each method with their intervals and p-values against chance, largest share first."""
    rows = [
        (name, *(cell for quantity in found.estimates for cell in _cells(found, quantity, name)))
        for name in found.methods
    ]
    chance = ("chance", found.chance, None, None, None, found.chance, None, None, None)
    columns = ("share", "low", "high", "p", "pointing", "pointing low", "pointing high", "pointing p")
    note = (
        f"share: of positive relevance, in the right tile. pointing: how often the largest value lies there. Higher is "
        f"better. Means over {counted(found.mosaics, 'mosaic')} ({counted(len(found.places), 'tile')} whose class the "
        "network sees) with 95 % intervals; p: sign-flip tests against chance, Holm-corrected."
    )
    return Table(("method", *columns), (*rows, chance), (note,))


def _cells(found: PlantedResult, quantity: str, name: str) -> tuple[float | None, ...]:
    mean = found.estimates[quantity][name]
    return mean.mean, mean.low, mean.high, found.above_chance[quantity][name].sign_flip


def differences_table(found: PlantedResult) -> Table:
    """Paired differences between methods, with intervals and corrected p-values."""
    return contrasts_table(found.differences, ("quantity", "better", "other"))


def page(found: PlantedResult) -> Page:
    """How well heatmaps find the right tile: table, shares, pictures."""
    shares = BoxesChart(
        name="shares",
        caption="Positive relevance in the right tile",
        x="share of positive relevance in the right tile",
        y="method",
        about=f"One value per mosaic; higher is better. Chance is {found.chance:.3g}, a perfect map has 1.",
        values={name: found.values["share"][name] for name in found.methods},
    )
    colours, maps = found.shown.colours, {name: found.shown.heatmaps[name].numpy() for name in found.methods}
    names, labels = _labels(found)
    gallery = Gallery(
        name="gallery",
        caption=GALLERY,
        images=colours,
        heatmaps=maps,
        captions=[f"{name}\n{label}" for name, label in zip(names, labels, strict=True)],
    )
    return Page(
        f"Which heatmaps of {found.network['name']} find the right photograph?",
        about=[
            counted(len(found.names), "photograph"),
            f"{counted(len(found.photographs), 'mosaic')} of {found.grid} × {found.grid} tiles",
            f"{len(found.places)} of {found.photographs.size} classes seen (probability above {found.seen:g})",
            counted(len(found.methods), "method"),
        ],
        sections=[
            Section("Right tile", text=[ASSUMES], tables={"Means and tests against chance": table(found)}),
            Section("Charts", charts=[shares]),
            Section("Pictures", shown=still(colours, names, labels, maps), fallback=gallery),
            Section("Differences", tables={"Between methods on the same mosaics": differences_table(found)}),
        ],
        reproduce=depends_on(found.seed, len(found.names), found.network),
    )


def _labels(found: PlantedResult) -> tuple[list[str], list[str]]:
    """Names of the mosaics that are shown, and which class their heatmaps are of."""
    names, labels = [], []
    for mosaic, tile in found.places[list(found.shown.numbers)].tolist():
        photograph, (row, column) = found.photographs[mosaic, tile], divmod(tile, found.grid)
        names.append(f"mosaic {mosaic}, row {row + 1}, column {column + 1}")
        labels.append(f"{found.classes[photograph]} in {Path(found.names[photograph]).name}")
    return names, labels


def describe(found: PlantedResult) -> dict[str, Any]:
    """What is only known of this study, but for its arrays, as JSON-able values."""
    return {
        "study": "planted",
        "network": dict(found.network),
        "methods": found.methods,
        "images": list(found.names),
        "grid": found.grid,
        "seen": found.seen,
        "seed": found.seed,
        "mosaics": len(found.photographs),
    }
