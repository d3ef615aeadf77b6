"""Verdict, tables, charts and page of a survey."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from heatproof.report.charts import RangesChart
from heatproof.report.page.page import Page, Section
from heatproof.report.studies.survey_tables import (
    ASSUMES,
    OTHERS,
    agreement_table,
    fails_table,
    matrix_table,
    pairs_table,
    shown_table,
    truth_table,
)
from heatproof.report.studies.survey_tables import (
    table as table,
)
from heatproof.results.findings import UNGROUPED
from heatproof.results.survey import FACTORS, Pair, SurveyResult
from heatproof.wording import counted, listed

FEW = 16  # images
MOST_TOLD = 6  # pairs in a sentence


def verdict(found: SurveyResult) -> list[str]:
    """What holds in general, what holds everywhere, and what depends on what."""
    said = [sentence for protocol in found.protocols for sentence in _under(found, protocol)]
    return [*said, *_agreements(found), *_failed(found)]


def _under(found: SurveyResult, protocol: str) -> Iterator[str]:
    general = found.general(protocol)
    if general:
        most = max(one.networks for one in general.values())
        common = [method for method, one in general.items() if one.networks == most]
        pairs = {pair: one for pair, one in found.pairs(protocol).items() if {*pair} <= {*common}}
        yield _best(found, protocol, common, [pair for pair, one in pairs.items() if one.holds])
        yield from _shown(found, protocol, common)
        rare = [f"{method} (d = {general[method].estimate.mean:.2f})" for method in general if method not in common]
        if rare:
            yield f"Asked about on fewer networks, and not part of this: {listed(rare)}."
        yield from _everywhere([pair for pair, one in pairs.items() if one.everywhere and one.cells > 1])
        depends = sorted((pair for pair, one in pairs.items() if one.depends), key=lambda pair: -_clash(pairs[pair]))
        if depends:
            told = [_opposed(pair, pairs[pair]) for pair in depends]
            yield f"Different in different comparisons, significantly: {'; '.join(_some(told))}."
    silent = [one for one in found.findings if one.name.protocol == protocol and one.can_judge is False]
    if silent:
        yield f"No verdict in {listed(_some([str(one.name) for one in silent]))}: the protocol cannot judge there."


def _best(found: SurveyResult, protocol: str, common: list[str], holds: list[tuple[str, str]]) -> str:
    """Which method that all networks met has the largest effect, and which it is better than in general."""
    general, cells = found.general(protocol), found.judged(protocol)
    best = max(common, key=lambda method: general[method].estimate.mean)
    first = general[best]
    said = (
        f"Under {protocol}, {best} has the largest effect size: {first.estimate} over "
        f"{counted(first.networks, 'network')} and {counted(len(cells), 'comparison')}"
    )
    if first.networks < 2:
        return f"{said}. One network says nothing about others."
    beaten = [worse for better, worse in holds if better == best]
    if beaten:
        return f"{said}; in general it is significantly better than {listed(beaten)}."
    return f"{said}; of no other method is it shown that it is better in general."


def _shown(found: SurveyResult, protocol: str, methods: list[str]) -> Iterator[str]:
    """Which methods are shown to explain in each comparison that tested it, and which in none."""
    tested = [one for one in found.judged(protocol) if one.shown]
    counts = {method: sum(bool(one.shown.get(method)) for one in tested) for method in methods}
    every = [method for method, count in counts.items() if count == len(tested)]
    never = [method for method, count in counts.items() if not count]
    if tested:
        total = counted(len(tested), "comparison")
        said = f"Shown to explain in each of {total}: {listed(every) if every else 'no method'}"
        yield f"{said}; in none: {listed(never)}." if never else f"{said}."


def _everywhere(pairs: list[tuple[str, str]]) -> Iterator[str]:
    """What is significant in each comparison, by the better method."""
    better = dict.fromkeys(pair[0] for pair in pairs)
    told = [f"{one} better than {listed([worse for first, worse in pairs if first == one])}" for one in better]
    if told:
        yield f"Significant in each comparison: {'; '.join(told)}."


def _clash(pair: Pair) -> int:
    return min(len(pair.better), len(pair.worse))


def _opposed(pair: tuple[str, str], one: Pair) -> str:
    return f"{pair[0]} better than {pair[1]} in {len(one.better)}, the other way in {len(one.worse)} of {one.cells}"


def _some(texts: list[str]) -> list[str]:
    """As many as can be read; the tables have the rest."""
    more = len(texts) - MOST_TOLD
    return [*texts[:MOST_TOLD], f"{more} more (see the tables)"] if more > 0 else texts


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
        *(f"no image of {one} is in its table of groups" for one in _ungrouped(found)),
        *(f"some images could not be computed (failed/ of the cell); the first of {text}" for text in broken),
    ]


def _ungrouped(found: SurveyResult) -> list[str]:
    """Data sets whose table of groups names other images."""
    return list(dict.fromkeys(one.name.data for one in found.findings if set(one.groups) == {UNGROUPED}))


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
                tables={
                    **{f"Effect sizes under {protocol}": matrix_table(found, protocol) for protocol in found.protocols},
                    "Shown to explain": shown_table(found),
                },
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
            Section("Groups", tables={"For which images methods fail": fails_table(found)} if found.fails else {}),
            Section("All comparisons", tables={"Every effect size": table(found)}),
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
