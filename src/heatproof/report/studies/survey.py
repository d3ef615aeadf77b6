"""Verdict, tables, charts and page of a survey."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from heatproof.report.charts import RangesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.tables import Cell, Table
from heatproof.results.survey import FACTORS, Finding, Pair, SurveyResult
from heatproof.wording import counted, listed

FEW = 16  # images
MOST_TOLD = 6  # pairs in a sentence
IN_GENERAL = "in general"
ASSUMES = (
    "In general: over networks, as if these had been drawn at random from all that one could ask about; the interval "
    "is Student's t over their means, the mixed model with a random effect of the network. Few networks make it wide."
)
EFFECT = (
    "Effect size d: mean over standard deviation of the images of ABPC (symmetric protocols) or of AOPC above the "
    "random order (samek2017); higher is better, and units do not matter."
)
OTHERS = {"network": "networks", "data": "data sets", "protocol": "protocols"}


def verdict(found: SurveyResult) -> list[str]:
    """What holds in general, what holds everywhere, and what depends on what."""
    said = [sentence for protocol in found.protocols for sentence in _under(found, protocol)]
    return [*said, *_agreements(found), *_failed(found)]


def _under(found: SurveyResult, protocol: str) -> Iterator[str]:
    general = found.general(protocol)
    if general:
        yield _best(found, protocol)
        pairs = found.pairs(protocol)
        everywhere = [_better(name) for name, one in pairs.items() if one.everywhere and one.cells > 1]
        depends = [
            f"{_better(name)} in {len(one.better)}, the other way in {len(one.worse)} of {one.cells}"
            for name, one in pairs.items()
            if one.depends
        ]
        if everywhere:
            yield f"Significant in each comparison: {_some(everywhere)}."
        if depends:
            yield f"Different in different comparisons, significantly: {_some(depends)}."
    silent = [one for one in found.findings if one.name.protocol == protocol and one.can_judge is False]
    if silent:
        yield f"No verdict in {_some([str(one.name) for one in silent])}: the protocol cannot judge there."


def _best(found: SurveyResult, protocol: str) -> str:
    """Which method has the largest effect, and what is known of that beyond these networks."""
    general, cells = found.general(protocol), found.judged(protocol)
    best = max(general, key=lambda method: general[method].estimate.mean)
    first = general[best]
    said = (
        f"Under {protocol}, {best} has the largest effect size: {first.estimate} over "
        f"{counted(first.networks, 'network')} and {counted(len(cells), 'comparison')}"
    )
    if first.networks < 2:
        return f"{said}. One network says nothing about others."
    beaten = [worse for (better, worse), one in found.pairs(protocol).items() if better == best and one.holds]
    if beaten:
        return f"{said}; in general it is significantly better than {listed(beaten)}."
    return f"{said}; of no other method is it shown that it is better in general."


def _some(texts: list[str]) -> str:
    """A list that can be read; the tables have the rest."""
    more = len(texts) - MOST_TOLD
    return listed([*texts[:MOST_TOLD], f"{more} more (see the tables)"] if more > 0 else texts)


def _better(pair: tuple[str, str]) -> str:
    return f"{pair[0]} better than {pair[1]}"


def _agreements(found: SurveyResult) -> Iterator[str]:
    said = [
        f"between {OTHERS[factor]} {agreed[0]} ({counted(agreed[1], 'pair')} of comparisons)"
        for factor in FACTORS
        if (agreed := found.agreement(factor))
    ]
    if said:
        yield f"How far rankings agree (Kendall's τ; 1: the same ranking): {listed(said)}."


def _failed(found: SurveyResult) -> Iterator[str]:
    if found.failed:
        yield f"No result: {listed(list(found.failed))}; give the same command again once the reason is mended."


def warnings(found: SurveyResult) -> list[str]:
    """What a reader must know before trusting the numbers."""
    few = [str(one.name) for one in found.findings if len(one.images) < FEW]
    left = [f"{one.name} ({counted(one.skipped, 'picture')})" for one in found.findings if one.skipped]
    broken = [f"{one.name}: {one.errors[0].splitlines()[0]}" for one in found.findings if one.errors]
    return [
        *([f"fewer than {FEW} images in {listed(few)}: effect sizes of so few stray widely"] if few else []),
        *([f"pictures that could not be used: {listed(left)}"] if left else []),
        *(f"some images could not be computed (failed/ of the cell); the first of {text}" for text in broken),
    ]


def table(found: SurveyResult) -> Table:
    """A row for each cell, and for each protocol in general; a column for each method."""
    rows: list[tuple[Cell, ...]] = []
    for protocol in found.protocols:
        rows += [_row(found, one) for one in found.findings if one.name.protocol == protocol]
        general = found.general(protocol)
        means = [general[m].estimate.mean if m in general else None for m in found.methods]
        rows.append((IN_GENERAL, "all", protocol, None, None, *means))
    columns = ("network", "data", "protocol", "images", "can judge", *found.methods)
    return Table(columns, tuple(rows), (EFFECT, ASSUMES))


def _row(found: SurveyResult, one: Finding) -> tuple[Cell, ...]:
    judges = {True: "yes", False: "no", None: "not tested"}[one.can_judge]
    protocol = one.name.protocol if one.chosen == one.name.protocol else f"{one.name.protocol}: {one.chosen}"
    effects = [one.effects.get(method) for method in found.methods]
    return (one.name.network, one.name.data, protocol, len(one.images), judges, *effects)


def pairs_table(found: SurveyResult, protocol: str) -> Table:
    """A row for each two methods: the advantage in general, and where it is significant."""
    pairs = found.pairs(protocol).items()
    rows = [
        (
            better, worse, one.general.estimate.mean, one.general.estimate.low, one.general.estimate.high, one.p,
            len(one.better), len(one.worse), one.cells, _conclusion(one),
        )
        for (better, worse), one in sorted(pairs, key=lambda pair: -pair[1].general.estimate.mean)
    ]  # fmt: skip
    columns = ("better", "than", "d", "low", "high", "p", "better in", "worse in", "comparisons", "holds")
    note = (
        "d: effect size of the paired difference, mean over networks with its 95 % interval. p: t-tests over networks, "
        "Holm-corrected for the number of pairs. Better in, worse in: comparisons with a significant difference."
    )
    return Table(columns, tuple(rows), (note,))


def _conclusion(one: Pair) -> str:
    if one.everywhere:
        return "everywhere"
    if one.depends:
        return "depends"
    return IN_GENERAL if one.holds else "not shown"


def shown_table(found: SurveyResult) -> Table:
    """In how many cells each method is shown to explain, and on how many images it is no better than chance."""
    tested = [one for one in found.findings if one.shown and one.can_judge]
    rows = []
    for method in found.methods:
        here = [one for one in tested if method in one.shown]
        every = [one.values[method] for one in found.findings if method in one.values and one.can_judge is not False]
        misses = float(np.mean([np.mean(values <= 0) for values in every])) if every else None
        rows.append((method, sum(one.shown[method] for one in here), len(here), misses))
    note = (
        "Shown: significantly better than the random order, every map that never saw the network, and the method's map "
        "of another image. Fails: share of images where it is not above the random order, mean over comparisons."
    )
    return Table(("method", "shown in", "of comparisons", "fails"), tuple(rows), (note,))


def truth_table(found: SurveyResult) -> Table | None:
    """Share of positive relevance in the right place, where something was planted."""
    planted = {one.name[:2]: one for one in found.findings if one.truth}
    if not planted:
        return None
    rows = [
        (*name, *(one.truth[m].mean if m in one.truth else None for m in found.methods))
        for name, one in planted.items()
    ]
    note = "Share of positive relevance in the tile that holds the class; chance is 0.25, and higher is better."
    return Table(("network", "data", *found.methods), tuple(rows), (note,))


def agreement_table(found: SurveyResult) -> Table:
    """How far rankings agree, for each factor."""
    rows = []
    for factor in FACTORS:
        agreed = found.agreement(factor)
        if agreed:
            estimate, count = agreed
            rows.append((OTHERS[factor], count, estimate.mean, estimate.low, estimate.high))
    note = (
        "Kendall's τ between rankings of two comparisons that differ in this only, mean over such pairs with its 95 % "
        "interval over images. 1: the same ranking; 0: no relation."
    )
    return Table(("rankings of other", "pairs", "τ", "low", "high"), tuple(rows), (note,))


def page(found: SurveyResult) -> Page:
    """Which conclusions hold across networks, data sets and protocols."""
    truth = truth_table(found)
    agreement = agreement_table(found)
    return Page(
        "Which explanation can be trusted, on which network?",
        about=[
            counted(len(found.networks), "network"),
            counted(len({one.name.data for one in found.findings}), "data set"),
            counted(len(found.protocols), "protocol"),
            counted(len(found.methods), "method"),
            counted(len(found.findings), "comparison"),
        ],
        sections=[
            Section(
                "Methods and networks",
                charts=[_chart(found, protocol) for protocol in found.protocols if found.general(protocol)],
                tables={"Effect sizes": table(found), "Shown to explain": shown_table(found)},
                links={name: f"{folder}/report.html" for name, folder in found.folders.items()},
            ),
            Section(
                "What holds where",
                tables={
                    **{
                        f"Pairs of methods under {protocol}": pairs_table(found, protocol)
                        for protocol in found.protocols
                    },
                    **({"Agreement of rankings": agreement} if agreement.rows else {}),
                },
            ),
            Section("Planted truth", tables={"Share in the right place": truth} if truth else {}),
        ],
        reproduce=ASSUMES,
    )


def _chart(found: SurveyResult, protocol: str) -> RangesChart:
    general = found.general(protocol)
    ordered = sorted(general, key=lambda method: -general[method].estimate.mean)
    ends = {method: general[method].estimate for method in ordered}
    networks = counted(max(one.networks for one in general.values()), "network")
    return RangesChart(
        name=f"general-{_plain(protocol)}",
        caption=f"{protocol}: effect sizes in general, with 95 % intervals over {networks}",
        x="effect size d (higher is better)",
        y="",
        values={method: (one.mean, one.low, one.high) for method, one in ends.items()},
        groups=dict.fromkeys(ordered, "method"),
    )


def _plain(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name.lower()).strip("-")


def describe(found: SurveyResult) -> dict[str, Any]:
    """What is only known of this study, as JSON-able values."""
    return {
        "study": "survey",
        "general": {
            protocol: {
                method: {
                    "mean": one.estimate.mean,
                    "low": _finite(one.estimate.low),
                    "high": _finite(one.estimate.high),
                }
                for method, one in found.general(protocol).items()
            }
            for protocol in found.protocols
        },
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
