"""Tables of a survey: effect sizes, pairs of methods, agreement of rankings, planted truth, groups."""

import numpy as np

from heatproof.report.tables import Cell, Table
from heatproof.results.findings import Finding
from heatproof.results.survey import FACTORS, Pair, SurveyResult

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


def matrix_table(found: SurveyResult, protocol: str) -> Table:
    """Methods by network and data: effect sizes, with what is significant of them."""
    cells = [one for one in found.findings if one.name.protocol == protocol]
    general = found.general(protocol)
    best = sorted(found.methods, key=lambda m: -general[m].estimate.mean if m in general else np.inf)
    rows = []
    for method in best:
        overall = f"{general[method].estimate}" if method in general else ""
        rows.append((method, overall, *(_marked(one, method) for one in cells)))
    note = (
        "+ significantly better than the random order; ++ shown to explain: also better than every map that never saw "
        "the network, and than the method's map of another image (not tested under samek2017). In parentheses: the "
        "protocol cannot judge there, and the number is not in those in general."
    )
    columns = ("method", IN_GENERAL, *(f"{one.name.network} / {one.name.data}" for one in cells))
    return Table(columns, tuple(rows), (EFFECT, note))


def _marked(one: Finding, method: str) -> str:
    if method not in one.effects:
        return ""
    mark = " ++" if one.shown.get(method) else " +" if one.is_above(method) else ""
    said = f"{one.effects[method]:.2f}{mark}"
    return f"({said})" if one.can_judge is False else said


def fails_table(found: SurveyResult) -> Table:
    """For which images each method fails: classes, or groups that were given."""
    rows: list[tuple[Cell, ...]] = [
        (
            one.data, one.group, one.images,
            *(f"{one.share[m]:.0%}{' *' * one.differs(m)}" if m in one.share else "" for m in found.methods),
        )
        for one in found.fails
    ]  # fmt: skip
    note = (
        "Share of images on which a method is not above the random order; an image that several comparisons met counts "
        "once, with the share of them. Groups of at least five images; classes are those that the network sees. "
        "* other than on the remaining images of the data set: p ≤ 0.05, Mann-Whitney, Holm-corrected for all of them."
    )
    return Table(("data", "group", "images", *found.methods), tuple(rows), (note,))


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
        "interval over networks (jackknife). 1: the same ranking; 0: no relation. Few images make rankings noisy, "
        "and τ smaller."
    )
    return Table(("rankings of other", "pairs", "τ", "low", "high"), tuple(rows), (note,))
