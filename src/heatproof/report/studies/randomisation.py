"""Verdict, tables, charts and page of heatmaps while the weights of the network are shuffled."""

from typing import Any

import numpy as np

from heatproof.measures import estimate_curve
from heatproof.report.charts import Band, CurvesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies import heatmaps_alone
from heatproof.report.studies.about import BANDS, depends_on
from heatproof.report.studies.changing import compared, labels, tested, zero_maps
from heatproof.report.tables import Table
from heatproof.results.randomisation import CORRELATION, RandomisationResult
from heatproof.wording import counted, listed

MEAN = "mean correlation"


def verdict(found: RandomisationResult) -> list[str]:
    """The answer, and what it does not say."""
    said = compared(found, CORRELATION, "correlate with those of the untouched network")
    average = f"While weights are shuffled from the output to the input: {said}" if said else ""
    stay = (
        f"{listed(found.input_only)} {'stays' if len(found.input_only) == 1 else 'stay'} at 1 by construction: such "
        "maps never saw the network."
        if found.input_only
        else ""
    )
    caveat = (
        "This is a sanity check, and no ranking: maps that stay do not depend on the weights, but noisy maps fall "
        "fastest, whether they are right or not. Whether a heatmap is right is another question (compare)."
    )
    return [one for one in (average, _at_the_end(found), stay, *tested(found, CORRELATION), caveat) if one]


def warnings(found: RandomisationResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    return [*found.found.notes, *zero_maps(found)]


def table(found: RandomisationResult) -> Table:
    """Mean correlation of each method over the steps, and at a third, two thirds and the end; the lowest first."""
    count = len(found.steps)
    chosen = sorted({max(1, round(count * share)) for share in (1 / 3, 2 / 3, 1)})
    rows: list[tuple[str | float, ...]] = [
        (
            name,
            found.estimates[CORRELATION][name].mean,
            found.estimates[CORRELATION][name].low,
            found.estimates[CORRELATION][name].high,
            *[_band(found, name).middle[step] for step in chosen],
        )
        for name in found.ordered(CORRELATION)
    ]
    note = (
        f"Means over {len(found.names)} images of Spearman's correlation of |relevance| with that by the untouched "
        f"network, over {counted(count, 'step')} in which weights are shuffled, from the output to the input, and "
        "after some of them. Lower follows the weights."
    )
    names = (f"{100 * found.shares[step]:.0f} % shuffled" for step in chosen)
    return Table(("method", MEAN, "low", "high", *names), tuple(rows), (note,))


def steps_table(found: RandomisationResult) -> Table:
    """Mean correlation of each method after each step."""
    curves = {name: _band(found, name).middle for name in found.ordered(CORRELATION)}
    rows: list[tuple[str | float, ...]] = [
        (step, *[float(curve[number]) for curve in curves.values()]) for number, step in enumerate(found.steps, start=1)
    ]
    return Table(("shuffled layers", *curves), tuple(rows), ("The last one is named.",))


def intervals_table(found: RandomisationResult) -> Table:
    """Means with 95 % intervals, the lowest first."""
    return heatmaps_alone.intervals_table(found, {CORRELATION: MEAN})


def differences_table(found: RandomisationResult) -> Table:
    """Paired differences between methods, with intervals and corrected p-values."""
    return heatmaps_alone.differences_table(found, "lower")


def page(found: RandomisationResult) -> Page:
    """What becomes of heatmaps: curves over the steps, tables, pictures."""
    bands = [_band(found, name) for name in found.ordered(CORRELATION)]
    curves = CurvesChart(
        name="cascade",
        caption="Rank correlation with the untouched network's heatmap",
        x="step (more weights are shuffled)",
        y="Spearman's correlation of |relevance|",
        about=f"From the output to the input; lower follows the weights; {BANDS}.",
        bands=[band for band in bands if np.isfinite(band.middle).any()],
        removed_fraction=found.shares,
        share="share of the layers with shuffled weights",
    )
    return Page(
        f"Do heatmaps of {found.network['name']} follow its weights?",
        about=[
            counted(len(found.names), "image"),
            counted(len(found.methods), "method"),
            f"{found.steps[-1].partition(':')[0].split(' of ')[1]} layers in {counted(len(found.steps), 'step')}",
        ],
        sections=[
            Section("Mean correlation", tables={"Means over the steps": table(found)}),
            Section(
                "Curves", charts=[curves] if curves.bands else [], tables={"Means after each step": steps_table(found)}
            ),
            heatmaps_alone.pictures_section(found, [f"{MEAN} {said}" for said in labels(found, CORRELATION)]),
            heatmaps_alone.intervals_section(intervals_table(found), differences_table(found)),
        ],
        reproduce=depends_on(int(found.options["seed"]), len(found.names), found.network),
    )


def describe(found: RandomisationResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    return {
        "study": "randomisation",
        "network": dict(found.network),
        "methods": found.methods,
        "images": list(found.names),
        "steps": list(found.steps),
    }


def _band(found: RandomisationResult, name: str) -> Band:
    values = found.curves[name][~found.without_relevance[name]]
    if not len(values):
        return Band(name, *np.full((3, len(found.steps) + 1), np.nan))
    return Band(name, *estimate_curve(values))


def _at_the_end(found: RandomisationResult) -> str:
    """How far maps of the fully shuffled network still correlate."""
    ends = {name: _band(found, name).middle[-1] for name in found.judged(CORRELATION)}
    if not ends:
        return ""
    low, high = min(ends, key=lambda name: ends[name]), max(ends, key=lambda name: ends[name])
    if low == high:
        return f"With all weights shuffled the correlation is {ends[low]:.2g}."
    return f"With all weights shuffled correlations lie between {ends[low]:.2g} ({low}) and {ends[high]:.2g} ({high})."
