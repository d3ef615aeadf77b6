"""What a symmetric comparison says: which methods are shown to explain, whether the protocol can judge, and why."""

from collections.abc import Sequence

import numpy as np

from heatproof.heatmaps.control_methods import ANOTHER, MUST_BEAT, UPPER_MARK, kind_of_control
from heatproof.measures import Estimate
from heatproof.report.charts import AreasChart, Panel, RangesChart
from heatproof.report.studies.about import BANDS, STEPS, score_band, steps_of
from heatproof.report.studies.ranking import caution, significance, significant_pairs
from heatproof.report.tables import Table
from heatproof.results.assay import Assay
from heatproof.results.choice import Candidate, Choice
from heatproof.results.comparison import ComparisonResult
from heatproof.results.contrasts import ERROR, ahead
from heatproof.results.evidence import Evidence
from heatproof.results.part import REFERENCE
from heatproof.wording import counted, listed

BASELINES = "every map that never saw the network"
WHAT = {
    "centre-gaussian": "input-only baseline",
    "sobel": "input-only baseline",
    "centred-sobel": "input-only baseline",
    UPPER_MARK: "upper mark",
    "randomised": "map of a network with shuffled weights",
    ANOTHER: "map of another image",
}


def evidence_verdict(found: ComparisonResult) -> list[str]:
    """The answer in at most two sentences, and what it rests on, one sentence after the other."""
    ranking = found.ranking
    if ranking.count < 2:
        best = ranking.methods[0]
        return [
            f"On this one image {best} has the highest ABPC ({ranking.aopc[best].mean:.3g}); one image says nothing "
            "about others; give more images for a verdict."
        ]
    said = [
        *_answer(found),
        choice_sentence(found.choice) if found.choice and found.choice.works else "",
        *(_halves(name, one) for name, one in found.evidence.items()),
        significant_pairs(ranking.methods, ranking.differences),
        _meaning(found),
        caution(ranking.count, len(found.evidence)) if ranking.tested else "",
    ]
    return [sentence for sentence in said if sentence]


def _answer(found: ComparisonResult) -> list[str]:
    assay = found.assay
    assert assay is not None
    if not assay.validated:
        best = found.ranking.methods[0]
        return [
            f"{best} has the highest ABPC, {found.ranking.aopc[best]}; without controls nothing shows that this "
            "protocol can judge, so this is no verdict."
        ]
    if found.choice and not found.choice.works:
        return [f"No verdict: {_lower(choice_sentence(found.choice))} The numbers are those of {found.choice.chosen}."]
    if not assay.can_judge:
        return [f"No verdict: this protocol cannot judge on this network. {_fault(assay)}"]
    shown = [name for name, one in found.evidence.items() if one.shown]
    if not shown:
        return [
            "No method is shown to explain this network: none is significantly better than the random order, "
            f"{BASELINES} and its own map of another image, in tests corrected for the number of methods; {UPPER_MARK} "
            "is.",
            *_not_shown(found),
        ]
    return [_best(found, shown), *_not_shown(found)]


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def choice_sentence(choice: Choice) -> str:
    """How the protocol was chosen."""
    tried = listed([one.name for one in choice.candidates])
    pilot = counted(len(choice.images), "other image")
    if not choice.works:
        return f"None of the protocols that were tried on {pilot} can judge on this network: {tried}."
    return f"Protocol {choice.chosen}, chosen on {pilot}, of which nothing is judged here; tried: {tried}."


def candidates_table(candidates: Sequence[Candidate], images: int) -> Table:
    """How each protocol did."""
    scope = any(np.isfinite(one.r_oms) for one in candidates)
    rows = tuple(
        (
            one.name, str(one.regions), one.replacement, one.removed, one.score, one.separation, one.halves, one.taken,
            *([one.r_oms] if scope else []), len(one.detected), one.evaluations, "yes" if one.works else "no",
        )
        for one in candidates
    )  # fmt: skip
    note = (
        f"On {counted(images, 'image')}. Separation: standard deviations of the images by which the best map lies "
        "above its strongest control (SSMD; higher is better). Halves agree: Kendall's τ of the maps' rankings by MoRF "
        "gain and by LeRF gain. Random takes: share of the score that a random order takes; near 1, nothing is left to "
        "lose. Detected: maps that are significantly better than all controls."
    )
    if len({one.score for one in candidates}) > 1:
        note += " Separations are compared between scores; values in the unit of a score are not."
    if scope:
        note += (
            " R-OMS: mean probability of the target while random regions go, from 0 to 1: how long the network still "
            "sees what it saw; where not all regions go, it is not known."
        )
    columns = (
        "protocol", "regions", "replacement", "removed", "score", "separation", "halves agree", "random takes",
        *(["R-OMS"] if scope else []), "detected", "evaluations", "can judge",
    )  # fmt: skip
    return Table(columns, rows, (note,))


def _best(found: ComparisonResult, shown: Sequence[str]) -> str:
    best = shown[0]
    value = f"ABPC {found.ranking.aopc[best]} ({found.protocol.unit})"
    beaten = f"significantly better than the random order, {BASELINES} and {{}} map of another image"
    if len(shown) == 1:
        return f"Only {best} is shown to explain this network: it is {beaten.format('its own')}; {value}."
    contrasts = {name: ahead(found.ranking.differences, (best, name)) for name in shown[1:]}
    equals = [name for name, one in contrasts.items() if one is None or not one.above]
    first = f"{best} explains this network best ({value})"
    first += f", but not significantly better than {listed(equals)}" if equals else ""
    others = [name for name in shown[1:] if name not in equals]
    also = f"; {listed(others)} {'explains' if len(others) == 1 else 'explain'} it too" if others else ""
    each = "both are" if len(shown) == 2 else "all are"
    return f"{first}{also}: {each} {beaten.format('their own')}."


def _not_shown(found: ComparisonResult) -> list[str]:
    """One sentence: which methods are not shown to explain, and what they do not beat."""
    reasons = [
        f"{name} (not significantly better than {listed(_short(one.unbeaten))})"
        for name, one in found.evidence.items()
        if not one.shown and one.unbeaten
    ]
    reasons += [
        f"{name} (p = {one.p:.2g} after Holm's correction)"
        for name, one in found.evidence.items()
        if not one.shown and not one.unbeaten and one.p is not None
    ]
    return [f"Not shown to explain it: {'; '.join(reasons)}."] if reasons else []


def _short(unbeaten: Sequence[str]) -> list[str]:
    """Names of controls; the random order alone, where it is among them."""
    if REFERENCE in unbeaten:
        return [f"the {REFERENCE}"]
    return ["its own map of another image" if name.startswith(f"{ANOTHER}:") else name for name in unbeaten]


def _fault(assay: Assay) -> str:
    if assay.scattered:
        names = listed(assay.scattered)
        return (
            f"Removing first what {names} marks, which never saw the network, harms less than removing at random, and "
            "removing it last keeps more: scattered removal harms more than compact removal here, so curves measure "
            "how scattered a map is. Larger regions, removed to the end, may mend this (--protocol coarse-blur, then "
            "large-blur; 'heatproof protocol' tries all)."
        )
    mark = any(kind_of_control(name) == UPPER_MARK for name in assay.controls)
    asked = f", not even {UPPER_MARK}, which asks the network about every window," if mark else ""
    return (
        f"No map{asked} is significantly better than the random order and {BASELINES}. Give more images, or another "
        "protocol (heatproof protocol)."
    )


def _halves(name: str, one: Evidence) -> str:
    """What it means that a method's halves disagree; empty where they do not."""
    if one.morf.above and one.lerf.below:
        return (
            f"{name} marks regions that matter as most relevant, and other regions that matter as least relevant: "
            "removing the latter first harms more than removing at random. Evidence against the class lies on the "
            "object, or the map is scattered."
        )
    if one.morf.below and one.lerf.above:
        return (
            f"{name} keeps what matters to the last, but removing what it marks first harms less than removing at "
            "random: the map is compact, and scattered removal harms more here."
        )
    return ""


def _meaning(found: ComparisonResult) -> str:
    said = [
        "ABPC: how much more is lost when the most relevant regions are removed first than when the least relevant "
        "are; higher is better."
    ]
    if found.ranking.tested:
        said.append(f"Shown to explain: p ≤ {ERROR} in all these tests, Holm-corrected for the number of methods.")
        said.append(significance(found.ranking.count))
    return " ".join(said)


def methods_table(found: ComparisonResult) -> Table:
    """ABPC of each method with both halves, best first; higher is better."""
    rows = []
    for name, one in found.evidence.items():
        value = found.ranking.aopc[name]
        decided = one.p if found.ranking.tested else found.ranking.counts[name]
        halves = one.morf.estimate.mean, one.lerf.estimate.mean
        effect = found.assay.effects[name] if found.assay else None
        rows.append((name, value.mean, value.low, value.high, *halves, effect, decided, "yes" if one.shown else "no"))
    last = "p" if found.ranking.tested else "images"
    columns = ("method", "ABPC", "low", "high", "MoRF gain", "LeRF gain", "d", last, "shown")
    note = (
        f"ABPC over {steps_of(found.morf[REFERENCE])} in units of the {found.protocol.unit}, mean over "
        f"{found.ranking.count} images and repeats ({found.protocol.repeats}), with 95 % intervals; higher is better. "
        "It is MoRF gain (most relevant first, above the random order) plus LeRF gain (least relevant first, below "
        "it). d: mean over standard deviation of the images. p: of the control that is hardest to beat, "
        "Holm-corrected for the number of methods."
    )
    return Table(columns, tuple(rows), (note,))


def controls_table(found: ComparisonResult) -> Table:
    """ABPC of each control with both halves, best first."""
    assay = found.assay
    assert assay is not None
    rows = []
    for name, value in found.controls.items():
        one = assay.controls.get(name)
        halves = (one.morf.estimate.mean, one.lerf.estimate.mean) if one else (None, None)
        rows.append((name, WHAT.get(kind_of_control(name), "control"), value.mean, value.low, value.high, *halves))
    taken = f"The random order takes {assay.taken:.0%} of the score. " if np.isfinite(assay.taken) else ""
    note = (
        f"{taken}The reverse of each map has its ABPC with the other sign. Separation: the best map lies "
        f"{assay.separation:.2f} standard deviations of the images above its strongest control (SSMD; higher is "
        "better)."
    )
    columns = ("control", "what it is", "ABPC", "low", "high", "MoRF gain", "LeRF gain")
    return Table(columns, tuple(rows), (note,))


def pairs_table(found: ComparisonResult) -> Table:
    """A matrix: by how much the method of the row is ahead of that of the column; a star where significant."""
    names = found.ranking.methods
    rows = []
    for first in names:
        cells = []
        for second in names[1:]:
            one = ahead(found.ranking.differences, (first, second)) if second in names[names.index(first) :] else None
            cells.append("" if one is None else f"{one.estimate.mean:.3g}{' *' if one.significant else ''}")
        rows.append((first, *cells))
    note = "* significantly different: p ≤ 0.05 in a paired sign-flip test, Holm-corrected for the number of pairs."
    return Table(("ABPC ahead of", *names[1:]), tuple(rows[:-1]), (note,))


def assay_chart(found: ComparisonResult) -> RangesChart:
    """Methods between the controls: the upper mark and input-only maps, and the reverse of the best method."""
    values = {name: found.ranking.aopc[name] for name in found.ranking.methods} | found.controls
    groups = {name: "method" for name in found.ranking.methods}
    groups |= {name: _group(name) for name in found.controls}
    best = found.ranking.methods[0]
    turned = values[best]
    values |= {f"reverse of {best}": Estimate(-turned.mean, -turned.high, -turned.low)}
    groups |= {f"reverse of {best}": "control"}
    ordered = dict(sorted(values.items(), key=lambda one: -one[1].mean))
    return RangesChart(
        name="assay",
        caption="Can this protocol judge? Methods and controls",
        x=f"ABPC ({found.protocol.unit})",
        y="map",
        about="Means with 95 % intervals; higher is better. Zero is the random order. A method that "
        "explains lies clearly above every map that never saw the network, and above its own map of another image.",
        values={name: (one.mean, one.low, one.high) for name, one in ordered.items()},
        groups={name: groups[name] for name in ordered},
    )


def _group(name: str) -> str:
    kind = kind_of_control(name)
    return "input-only baseline" if kind in MUST_BEAT else "upper mark" if kind == UPPER_MARK else "control"


def orders_chart(found: ComparisonResult) -> AreasChart:
    """The mean score in both orders, a panel for each method; the area between is its ABPC."""
    panels = [
        Panel(
            name,
            f"ABPC {found.ranking.aopc[name].mean:.3g}",
            score_band("least relevant first", found.lerf[name]),
            score_band("most relevant first", found.morf[name]),
        )
        for name in found.ranking.methods
    ]
    return AreasChart(
        name="orders",
        caption="Score while regions are removed, in both orders",
        x=STEPS,
        y=f"score ({found.protocol.unit})",
        about=f"Mean score of the target; {BANDS}. The larger the area between, the better.",
        panels=panels,
    )
