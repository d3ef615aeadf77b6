"""Tables and pictures of studies that measure heatmaps alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from heatproof.report.charts import Gallery
from heatproof.report.page.page import Section
from heatproof.report.studies.about import GALLERY
from heatproof.report.studies.pictures import still
from heatproof.report.studies.ranking import contrasts_table
from heatproof.report.tables import Table
from heatproof.results.heatmaps_alone import HeatmapsAlone, ValuesOfHeatmaps


def intervals_table(found: ValuesOfHeatmaps, names: Mapping[str, str]) -> Table:
    """Means with 95 % intervals, best first; ``names`` has those of the quantities, with units."""
    rows = [
        (said, name, value.mean, value.low, value.high)
        for quantity, said in names.items()
        for name in found.ordered(quantity)
        for value in [found.estimates[quantity][name]]
    ]
    return Table(("quantity", "method", "mean", "low", "high"), tuple(rows))


def differences_table(found: ValuesOfHeatmaps, better: str) -> Table:
    """Paired differences between methods, with intervals and corrected p-values; ``better`` says what the first is."""
    return contrasts_table(found.differences, ("quantity", better, "other"))


def intervals_section(intervals: Table, differences: Table) -> Section:
    """Both tables."""
    tables = {"Means with 95 % intervals": intervals, "Differences between methods on the same images": differences}
    return Section("Intervals", tables=tables)


def pictures_section(found: HeatmapsAlone, labels: Sequence[str]) -> Section:
    """The first images with their heatmaps, each with a label."""
    colours = found.found.shown.colours
    gallery = Gallery(
        name="gallery",
        caption=GALLERY,
        images=colours,
        heatmaps=found.heatmaps,
        captions=[
            f"{Path(name).name}\n{label}"
            for name, label, _ in zip(found.names, labels, colours, strict=False)  # the first ones are shown
        ],
    )
    shown = still(colours, found.names, labels, found.heatmaps)
    return Section("Pictures", shown=shown, fallback=gallery)
