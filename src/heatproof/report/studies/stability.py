"""Verdict, tables, charts and page of the stability of heatmaps."""

from typing import Any

import numpy as np

from heatproof.report.charts import BoxesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies import heatmaps_alone
from heatproof.report.studies.about import depends_on
from heatproof.report.studies.changing import compared, labels, tested, zero_maps
from heatproof.report.tables import Table
from heatproof.results.stability import KINDS, StabilityResult
from heatproof.wording import counted, listed

CHANGES = tuple(f"change under {words}" for words in KINDS.values())


def verdict(found: StabilityResult) -> list[str]:
    """The answer, one sentence for each kind of disturbance, and what it does not say."""
    options = found.options
    under = {
        CHANGES[0]: f"Under noise (standard deviation {options['noise']:g})",
        CHANGES[1]: f"Under shifts by {counted(int(options['shift']), 'pixel')}",
    }
    said = {quantity: compared(found, quantity, "change") for quantity in CHANGES}
    sentences = [f"{under[quantity]}: {sentence}" for quantity, sentence in said.items() if sentence]
    return [*sentences, _left_out(found), *tested(found, *CHANGES), _not_right(found)]


def warnings(found: StabilityResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    nothing = [
        f"none of the {found.made:,} images with {words} counts: all change the predicted class or the score too much"
        for kind, words in KINDS.items()
        if found.left_out[kind] == found.made
    ]
    return [*found.found.notes, *zero_maps(found), *nothing]


def table(found: StabilityResult) -> Table:
    """Means of each method, the one that changes least under noise first."""
    quantities = list(found.values)
    rows: list[tuple[str | float, ...]] = [
        (name, *[found.estimates[quantity][name].mean for quantity in quantities]) for name in found.ordered(CHANGES[0])
    ]
    note = (
        f"Means over {len(found.names)} images. Change: Σ|ĥ′ − ĥ| of maps scaled to Σ|ĥ| = 1, from 0 to 2; lower is "
        "more stable. Correlation: Spearman's, of the pixels of both maps; higher is more stable."
    )
    names = (quantity.replace(" under", ",") for quantity in quantities)
    return Table(("method", *names), tuple(rows), (note,))


def intervals_table(found: StabilityResult) -> Table:
    """Means with 95 % intervals, most stable first."""
    return heatmaps_alone.intervals_table(found, {quantity: quantity for quantity in found.values})


def differences_table(found: StabilityResult) -> Table:
    """Paired differences between methods, with intervals and corrected p-values."""
    return heatmaps_alone.differences_table(found, "more stable")


def disturbances_table(found: StabilityResult) -> Table:
    """How many disturbed images of each kind count, and how much the score changed there."""
    rows = [
        (words, found.made, found.left_out[kind], 100 * _mean(found.score_changes[kind]))
        for kind, words in KINDS.items()
    ]
    return Table(("disturbance", "images", "left out", "change of the score (%)"), tuple(rows))


def page(found: StabilityResult) -> Page:
    """How stable heatmaps are: changes by kind of disturbance, pictures, intervals."""
    charts = [
        BoxesChart(
            name=f"{kind}_change",
            caption=f"Change under {words}",
            x="change",
            y="method",
            about="Σ|ĥ′ − ĥ| of maps scaled to Σ|ĥ| = 1, of each image; lower is more stable.",
            values=known,
        )
        for kind, words in KINDS.items()
        if (known := _known(found, f"change under {words}"))
    ]
    options = found.options
    return Page(
        f"How stable are heatmaps of {found.network['name']}?",
        about=[
            counted(len(found.names), "image"),
            counted(len(found.methods), "method"),
            f"{counted(int(options['draws']), 'noisy image')} and as many shifted ones of each",
            f"counting where the class stays and the logit changes by at most {100 * float(options['tolerance']):g} %",
        ],
        sections=[
            Section(
                "Stability", tables={"Means": table(found), "Disturbed images that count": disturbances_table(found)}
            ),
            Section("Charts", charts=charts),
            heatmaps_alone.pictures_section(found, [f"{CHANGES[0]} {said}" for said in labels(found, CHANGES[0])]),
            heatmaps_alone.intervals_section(intervals_table(found), differences_table(found)),
        ],
        reproduce=depends_on(int(options["seed"]), len(found.names), found.network),
    )


def describe(found: StabilityResult) -> dict[str, Any]:
    """What is only known of this study, without its arrays, as JSON-able values."""
    return {
        "study": "stability",
        "network": dict(found.network),
        "methods": found.methods,
        "images": list(found.names),
        "left_out": found.left_out,
    }


def _left_out(found: StabilityResult) -> str:
    counts = [f"{found.left_out[kind]:,} of {found.made:,} images with {words}" for kind, words in KINDS.items()]
    changes = [f"{100 * _mean(found.score_changes[kind]):.2g} % ({words})" for kind, words in KINDS.items()]
    return (
        f"Left out: {listed(counts)}, on which the predicted class or more than "
        f"{100 * float(found.options['tolerance']):g} % of the logit changed. On the others the logit changed by "
        f"{listed(changes)} on average."
    )


def _not_right(found: StabilityResult) -> str:
    means = found.estimates[CHANGES[0]]
    here = [f"{name} changes by {means[name].mean:.2g}" for name in found.input_only if np.isfinite(means[name].mean)]
    named = f" (under noise {listed(here)})" if here else ""
    return (
        "Stability without faithfulness proves nothing: a constant map, such as centre-gaussian, is perfectly stable, "
        f"and never saw the network{named}. Whether a heatmap is right is another question (compare)."
    )


def _known(found: StabilityResult, quantity: str) -> dict[str, np.ndarray]:
    """(n,) values that there are, by method."""
    known = {name: values[np.isfinite(values)] for name, values in found.values[quantity].items()}
    return {name: known[name] for name in found.ordered(quantity) if len(known[name])}


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
