"""Verdict, tables, charts and page of checkpoints that were compared by their heatmaps."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from heatproof.measures import Estimate
from heatproof.measures.quality import CONTROLS, QUALITIES
from heatproof.report.charts import Band, Gallery, SeriesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.about import (
    GALLERY,
    depends_on,
    images_of_cells,
    notes_of_cells,
    protocol_words,
)
from heatproof.report.studies.merit import merit
from heatproof.report.studies.pictures import still
from heatproof.report.tables import Table
from heatproof.results.assessment import ACCURACY, FEWEST, AssessmentResult
from heatproof.wording import counted

GALLERY_IMAGES, GALLERY_CHECKPOINTS = 4, 6
FEW_REGIONS = 25
MANY = 0.5  # the share of the image from which on it is mostly gone
PAPER = 0.16  # the share that [Samek2017] removes
UNITS = {
    "AOPC": "logits",
    "above random": "logits",
    "relative drop": "share of the logit",
    "standardised": "deviations",
    "probability": "above random",
    "mean logit": "untouched images",
}


def verdict(found: AssessmentResult) -> list[str]:
    """The answer, one sentence after the other."""
    return merit(
        list(found.checkpoints),
        found.series,
        found.rank_correlations,
        len(found.names),
        given_confidence=found.partial_correlations,
    )


def warnings(found: AssessmentResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    curves = next(iter(found.checkpoints.values())).perturbed.random["logit"]  # images and regions are those of all
    said, regions = notes_of_cells(found), 1 + max(int(block.orders.max()) for block in curves.blocks())
    if regions < FEW_REGIONS:
        said.append(f"there are only {regions} regions in an image; smaller ones (regions) order more finely")
    removed = float(curves.removed_in_the_end.mean())
    if removed > MANY:
        said.append(
            f"{removed:.0%} of the image is removed: scores of a mostly removed image count as much as the first "
            f"steps; the paper removes {PAPER:.0%}, here steps={max(1, round(PAPER / removed * found.steps))}"
        )
    leaks = {
        name: checkpoint.conservation
        for name, checkpoint in found.checkpoints.items()
        if checkpoint.conservation and checkpoint.conservation.warnings(found.method)
    }
    if leaks:
        name, worst = max(leaks.items(), key=lambda item: abs(float(np.median(item[1].kept)) - 1))
        said += [f"{name}: {text}" for text in worst.warnings(found.method)]
    return said + _recurring(found)


def _recurring(found: AssessmentResult) -> list[str]:
    """Where the maps find one place in image after image, at the checkpoint where most images show it."""
    places = {name: place for name, place in found.places.items() if place.recurs}
    if not places:
        return []
    name, place = max(places.items(), key=lambda item: item[1].share)
    classes = len(np.unique(found.cells[name].found.targets.numpy()[place.inside]))
    others = f"; a place recurs at {counted(len(places) - 1, 'other checkpoint')}, too" if len(places) > 1 else ""
    return [
        f"{name}: in {place.share:.0%} of the images, of {classes} predicted class{'es' * (classes > 1)}, the most "
        f"relevant region lies at the same place, {place.where}: a shortcut may lie there; look at the pictures{others}"
    ]


def table(found: AssessmentResult) -> Table:
    """Every quantity of every checkpoint, in the order given; higher is better."""
    shown = [*([ACCURACY] if ACCURACY in found.series else []), *QUALITIES, *CONTROLS]
    values = np.stack([found.series[name].values() for name in shown], axis=1)
    rows = tuple((name, *row) for name, row in zip(found.checkpoints, values.tolist(), strict=True))
    note = (
        f"Means over {len(found.names)} images and repeats ({found.protocol.repeats}), {found.steps} steps, heatmaps "
        f"by {found.method}; higher is better. AOPC and above random are in logits, and grow with them. Above "
        "random, as the three columns after it: AOPC minus that of the random order; relative drop: as a share of "
        "the mean logit; standardised: of the logit in standard deviations over the classes; probability: of the "
        "probability. Mean logit and mean confidence are of untouched images."
    )
    return Table(("checkpoint", *shown), rows, (note,))


def intervals_table(found: AssessmentResult) -> Table:
    """Every quantity of every checkpoint with its 95 % interval over images."""
    rows = tuple(
        (name, quantity, value.mean, value.low, value.high)
        for quantity, values in found.estimates.items()
        for name, value in zip(found.checkpoints, values, strict=True)
    )
    return Table(("checkpoint", "quantity", "value", "low", "high"), rows)


def correlations_table(found: AssessmentResult) -> Table:
    """Rank correlation of each quantity with the accuracy, alone and given the mean confidence, with 95 % intervals."""
    given = found.partial_correlations
    rows = tuple(
        (name, *_cells(value), *(_cells(given[name]) if name in given else (None, None, None)))
        for name, value in found.rank_correlations.items()
    )
    beyond = (
        "the partial rank correlation, the mean confidence held fixed: what a quantity says of the accuracy that the "
        "mean confidence does not say."
        if given
        else f"there are too few checkpoints for a partial rank correlation, which takes {FEWEST}."
    )
    note = (
        f"Over {counted(len(found.checkpoints), 'checkpoint')}; bootstrap over {len(found.names)} images, the same for "
        f"all. Given the confidence: {beyond} Alone: the random order is not subtracted, so what any removal takes "
        "counts too."
    )
    columns = ("quantity", "rank correlation", "low", "high", "given the confidence", "low (given)", "high (given)")
    return Table(columns, rows, (note,))


def training_chart(found: AssessmentResult) -> SeriesChart:
    """Each quantity over the checkpoints, and the accuracy beside it, as in Figure 7 of [Samek2017]."""
    return SeriesChart(
        name="training",
        caption="Quality of the heatmaps over the checkpoints",
        title=f"{found.topology}: what removing the regions takes that {found.method} calls relevant",
        x="checkpoint",
        y="",
        bands=[_band(found, name, f"{name} ({UNITS[name]})") for name in (*QUALITIES, "mean logit")],
        names=list(found.checkpoints),
        beside=_band(found, ACCURACY, ACCURACY) if ACCURACY in found.series else None,
    )


def gallery(found: AssessmentResult) -> Gallery:
    """The first images with their heatmaps at some of the checkpoints."""
    shown = found.first.shown.first(GALLERY_IMAGES)
    names = [*found.checkpoints]
    chosen = np.linspace(0, len(names) - 1, min(len(names), GALLERY_CHECKPOINTS)).round().astype(int)
    maps = {names[place]: found.checkpoints[names[place]].heatmaps for place in chosen}
    return Gallery(
        name="gallery",
        caption=GALLERY,
        images=shown.colours,
        heatmaps={name: heatmaps[: len(shown.numbers)].numpy() for name, heatmaps in maps.items()},
        captions=[Path(found.names[number]).name for number in shown.numbers],
    )


def page(found: AssessmentResult) -> Page:
    """Which checkpoint has the best heatmaps: quantities over checkpoints, pictures."""
    tables = {"Checkpoints": table(found)}
    if found.rank_correlations:
        tables["Rank correlation with the accuracy"] = correlations_table(found)
    maps = {name: one.heatmaps.float().cpu().numpy() for name, one in found.checkpoints.items()}
    still_ones = gallery(found)
    labels = [f"heatmaps by {found.method}"] * len(still_ones.images)
    *_, last = found.checkpoints.values()
    return Page(
        f"Checkpoints of {found.topology}, compared by their heatmaps",
        about=[
            counted(len(found.names), "image"),
            counted(len(found.checkpoints), "checkpoint"),
            f"heatmaps by {found.method}",
            *protocol_words(found.protocol),
            str(found.work),
        ],
        sections=[
            Section("Checkpoints", tables=tables),
            Section("Over the checkpoints", charts=[training_chart(found)]),
            Section("Pictures", shown=still(still_ones.images, found.names, labels, maps), fallback=still_ones),
            Section("Intervals", tables={"With 95 % intervals over images": intervals_table(found)}),
        ],
        reproduce=depends_on(found.protocol.seed, len(found.names), last.network),
    )


def describe(found: AssessmentResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    scores = list(next(iter(found.checkpoints.values())).perturbed.morf)
    return {
        "study": "assess",
        "topology": found.topology,
        "checkpoints": {
            name: dict(checkpoint.network)
            | {"conservation": checkpoint.conservation.summary() if checkpoint.conservation else None}
            for name, checkpoint in found.checkpoints.items()
        },
        "method": found.method,
        "protocol": found.protocol.describe() | {"score": scores, "steps": found.steps},
        "estimates": {name: [asdict(value) for value in values] for name, values in found.estimates.items()},
        "rank_correlations_with_accuracy": {name: asdict(value) for name, value in found.rank_correlations.items()},
        "rank_correlations_given_confidence": {
            name: asdict(value) for name, value in found.partial_correlations.items()
        },
        "places": {
            name: {"share": place.share, "p": place.p, "where": place.where, "recurs": place.recurs}
            for name, place in found.places.items()
        },
        **images_of_cells(found),
        "work": found.work.describe(),
    }


def _cells(value: Estimate) -> tuple[float, float, float]:
    return value.mean, value.low, value.high


def _band(found: AssessmentResult, name: str, label: str) -> Band:
    return Band(label, *np.array([_cells(value) for value in found.estimates[name]]).T)
