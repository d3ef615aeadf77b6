"""What is said of heatmaps where it is known where the evidence for a class lies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heatproof.report.charts import BoxesChart, Gallery
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.about import GALLERY, depends_on
from heatproof.report.studies.pictures import still
from heatproof.report.studies.ranking import caution, contrasts_table, significant_pairs
from heatproof.report.tables import Table
from heatproof.results.contrasts import ERROR, Contrast
from heatproof.results.planted import PlantedResult
from heatproof.runs.planted_record import Place
from heatproof.wording import counted, listed

ASSUMES = {
    "mosaics": "Only classes that the network still sees in the mosaic are measured. Tiles are small pictures, and a "
    "neighbouring tile may hold evidence for the class, too.",
    "patch": "The network's features are as they were; only its last layer is new. A patch is not a photograph: "
    "methods that find it may still explain other classes badly.",
}

CLEAR = 0.9  # accuracy of a layer that depends on little but the patch


def verdict(found: PlantedResult) -> list[str]:
    """The answer, one sentence after the other."""
    pointing = found.ordered("pointing")[0]
    pairs = {(a, b): one for (quantity, a, b), one in found.differences.items() if quantity == "share"}
    said = [
        _best(found, pairs),
        _against_chance(found),
        significant_pairs(found.methods, pairs),
        f"Pointing game: the largest value lies in {_place(found)} most often for {pointing} "
        f"({found.estimates['pointing'][pointing]}).",
        f"Intervals are 95 % intervals over {_pictures(found, found.pictures)}"
        + ("." if found.planted.patch else ", tiles of a mosaic averaged first."),
        caution(found.pictures, max(len(found.methods), len(pairs)), what=_picture(found)),
    ]
    return [sentence for sentence in said if sentence]


def _best(found: PlantedResult, pairs: Mapping[tuple[str, str], Contrast]) -> str:
    best = found.methods[0]
    share, chance = found.estimates["share"][best], f"{found.chance:.3g}"
    if not found.above_chance["share"][best].above:
        return f"No method is significantly above chance ({chance}); {best} has the largest share, {share}."
    equals = [b for (a, b), difference in pairs.items() if a == best and not difference.above]
    but = f"; it is not significantly better than {listed(equals)}" if equals else ""
    return (
        f"{best} finds {_place(found)} best: {share} of its positive relevance lies there, where chance is "
        f"{chance}{but}."
    )


def _against_chance(found: PlantedResult) -> str:
    contrasts = found.above_chance["share"]
    better = [name for name in found.methods if contrasts[name].above]
    worse = [name for name in found.methods if contrasts[name].below]
    neither = [name for name in found.methods if name not in (*better, *worse)]
    groups = (
        ("significantly above chance", better),
        ("significantly below chance", worse),
        ("no significant difference from chance", neither),
    )
    said = "; ".join(f"{words}: {listed(names)}" for words, names in groups if names)
    return f"{said[0].upper()}{said[1:]} (p ≤ {ERROR:g}, Holm-corrected)."


def warnings(found: PlantedResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    said = list(found.found.notes)
    patch = found.planted.patch
    if patch and patch.reads == "scores":
        said.append(
            "the network does not end in a dense layer whose place a new one could take: the new layer reads its class "
            "scores"
        )
    if patch and patch.accuracy < CLEAR:
        said.append(
            f"the new layer is right for {patch.accuracy:.0%} of the held-out pictures: its score depends on more than "
            "the patch, so that some relevance elsewhere is right"
        )
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
    places = "" if found.planted.patch else f" ({counted(len(found.places), 'tile')} whose class the network sees)"
    note = (
        f"share: of positive relevance, in {_place(found)}. pointing: how often the largest value lies "
        f"there. Higher is better. Means over {_pictures(found, found.pictures)}{places} with 95 % intervals; p: "
        "sign-flip tests against chance, Holm-corrected."
    )
    return Table(("method", *columns), (*rows, chance), (note,))


def _cells(found: PlantedResult, quantity: str, name: str) -> tuple[float | None, ...]:
    mean = found.estimates[quantity][name]
    return mean.mean, mean.low, mean.high, found.above_chance[quantity][name].sign_flip


def differences_table(found: PlantedResult) -> Table:
    """Paired differences between methods, with intervals and corrected p-values."""
    return contrasts_table(found.differences, ("quantity", "better", "other"))


def page(found: PlantedResult) -> Page:
    """How well heatmaps find what was planted: table, shares, pictures."""
    place = _place(found)
    shares = BoxesChart(
        name="shares",
        caption=f"Positive relevance in {place}",
        x=f"share of positive relevance in {place}",
        y="method",
        about=f"One value per {_picture(found)}; higher is better. Chance is {found.chance:.3g}, a perfect map has 1.",
        values={name: found.values["share"][name] for name in found.methods},
    )
    shown = found.found.shown
    colours, maps = shown.colours, {name: shown.heatmaps[name].numpy() for name in found.methods}
    places = [found.places[number] for number in shown.numbers]
    names = [_where(found, one) for one in places]
    labels = [found.found.classes[number] for number in shown.numbers]
    captions = [f"{label}\n{name}" for name, label in zip(names, labels, strict=True)]
    gallery = Gallery(name="gallery", caption=GALLERY, images=colours, heatmaps=maps, captions=captions)
    kind = str(found.options["kind"])
    return Page(
        f"Which heatmaps of {found.network['name']} find {place}?",
        about=[counted(len(found.names), "photograph"), *_about(found), counted(len(found.methods), "method")],
        sections=[
            Section(
                f"Relevance in {place}", text=[ASSUMES[kind]], tables={"Means and tests against chance": table(found)}
            ),
            Section("Charts", charts=[shares]),
            Section("Pictures", shown=still(colours, names, labels, maps), fallback=gallery),
            Section("Differences", tables={"Between methods on the same pictures": differences_table(found)}),
        ],
        reproduce=depends_on(int(found.options["seed"]), len(found.names), found.network),
    )


def _about(found: PlantedResult) -> list[str]:
    """What was planted, and how much of it the network sees."""
    patch, places = found.planted.patch, found.planted.places
    if patch:
        return [
            f"a new last layer, fitted on {patch.fitted_on} of them, is right for {patch.accuracy:.0%} of the others "
            "with and without the patch",
            f"the patch is seen in {len(found.places)} of {len(places)} held-out pictures "
            f"(probability above {found.options['seen']:g})",
        ]
    grid, mosaics = found.options["grid"], len({place.picture for place in places})
    return [
        f"{counted(mosaics, 'mosaic')} of {grid} × {grid} tiles, {found.planted.height} × {found.planted.width} pixels",
        f"{len(found.places)} of {len(places)} classes seen (probability above {found.options['seen']:g})",
    ]


def _place(found: PlantedResult) -> str:
    return "the patch" if found.planted.patch else "the right tile"


def _picture(found: PlantedResult) -> str:
    return "picture" if found.planted.patch else "mosaic"


def _pictures(found: PlantedResult, count: int) -> str:
    return counted(count, _picture(found))


def _where(found: PlantedResult, place: Place) -> str:
    """Where something is planted, in words."""
    image = Path(place.image).name
    if found.planted.patch:
        return image
    top, left, bottom, right = place.box
    grid, height, width = int(found.options["grid"]), found.planted.height, found.planted.width
    row, column = (top + bottom) * grid // (2 * height) + 1, (left + right) * grid // (2 * width) + 1
    return f"{image}: mosaic {place.picture}, row {row}, column {column}"


def describe(found: PlantedResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    return {
        "study": "planted",
        "network": dict(found.network),
        "methods": found.methods,
        "images": list(found.names),
        "pictures": found.pictures,
    }
