"""Verdict, warnings, tables and section of the audit of a comparison."""

from itertools import groupby

from heatproof.measures import Estimate, estimate_curve
from heatproof.measures.reversals import Reversal
from heatproof.report.charts import Band, CurvesChart
from heatproof.report.page.page import Section
from heatproof.report.studies import rounding
from heatproof.report.studies.about import BANDS, STEPS
from heatproof.report.tables import Table
from heatproof.results.audit import Audit
from heatproof.results.rounding import Rounding
from heatproof.wording import counted, listed

DEPENDS = "the ranking depends on replacement, order, score and size of regions"
CLOSE = 0.5  # a τ that may lie below this says that too little is known of the agreement


def verdict(found: Audit) -> list[str]:
    """What the ranking depends on, what is not known, and how far off the replacements lead."""
    return [sentence for sentence in (_depends(found), _open(found), _scope(found)) if sentence]


def warnings(found: Audit) -> list[str]:
    """One warning for each condition that significantly reverses pairs of methods, with the clearest pair."""
    pairs = sorted(found.reversals, key=lambda reversal: (reversal.condition, reversal.p))
    return [_warning(found, list(same)) for _, same in groupby(pairs, key=lambda reversal: reversal.condition)]


def agreement_table(found: Audit) -> Table:
    """How far the ranking of methods agrees with that of the comparison when one thing is changed."""
    rows = tuple(
        (other.changed, other.to, tau.mean, tau.low, tau.high, found.best(other), found.reversed_in(other))
        for other, tau in zip(found.conditions[1:], found.agreements, strict=True)
    )
    note = (
        f"Kendall's τ between the methods' rankings as compared and with one thing changed, on "
        f"{counted(len(found.names), 'image')} (1: alike, −1: backwards), with 95 % intervals over images, which "
        "lie rather too low than too high. Reversed: pairs whose order is significantly reversed (p ≤ 0.05, "
        "Holm-corrected for all pairs and conditions). Least relevant first, a lower AOPC is better: it asks "
        "what does not count; methods may be good at one question alone."
    )
    return Table(("changed", "to", "agreement", "low", "high", "then first", "reversed"), rows, (note,))


def removal_table(found: Audit) -> Table:
    """R-OMS of each replacement: how long the network still sees the same class while random regions go."""
    rows = tuple((name, value.mean, value.low, value.high) for name, value in found.r_oms.items())
    note = (
        "Area under the predicted class's probability over the removed share, in an order that is the same for all "
        f"replacements, on {counted(len(found.names), 'image')}, with 95 % intervals. Higher: images stay in what "
        "the network knows, or the replacement leaves information in place, as blur does. Lower: scores say less "
        "about regions, and more about images that the network does not know."
    )
    return Table(("replacement", "R-OMS", "low", "high"), rows, (note,))


def tables(found: Audit) -> dict[str, Table]:
    """The tables of the audit, by caption."""
    ranking = {"Does the ranking depend on how it was asked?": agreement_table(found)} if found.conditions else {}
    return ranking | {"R-OMS of each replacement": removal_table(found)}


def chart(found: Audit) -> CurvesChart:
    """The predicted class's probability while regions go in random order, by replacement (higher is nearer)."""
    bands = []
    for name, curves in found.removal.items():
        mean, low, high = estimate_curve(curves.scores.double().mean(dim=1).numpy())
        bands.append(Band(name, mean, low.clip(0, 1), high.clip(0, 1), at=curves.middles.numpy()))
    first = next(iter(found.removal.values()))
    return CurvesChart(
        name="audit",
        caption="Random regions are removed, to the end",
        title="Random regions are removed, to the end (R-OMS)",
        x=STEPS,
        y="probability of the predicted class",
        about="How far a replacement alone drives images off what the network knows (R-OMS); "
        f"{BANDS}. Higher is nearer.",
        bands=bands,
        removed_fraction=first.mean_removed.numpy(),
        kind="replacements",
        limits=(0, 1),
    )


def sections(found: Audit | None, changed: Rounding | None) -> list[Section]:
    """The section on the page of the comparison, and that of another precision."""
    own = (
        [Section("Off-manifold audit", text=verdict(found), charts=[chart(found)], tables=tables(found))]
        if found
        else []
    )
    if changed is None:
        return own
    precision = {f"Compared in {changed.precision} and in float32": rounding.table(changed)}
    return [*own, Section("Audit of the precision", text=rounding.verdict(changed), tables=precision)]


def _warning(found: Audit, pairs: list[Reversal]) -> str:
    pair = pairs[0]
    condition = next(other for other in found.conditions if str(other) == pair.condition)
    text = (
        f"the ranking depends on the {condition.changed}: as compared, {pair.higher} is better than {pair.lower} "
        f"by {pair.here} ({found.score}); with {condition}, {pair.lower} is better than {pair.higher} by "
        f"{_turned(pair.there)} ({condition.score}), on the same {counted(len(found.names), 'image')}"
    )
    return f"{text}; and {counted(len(pairs) - 1, 'other pair')}" if len(pairs) > 1 else text


def _depends(found: Audit) -> str:
    if found.needed is not None:
        return (
            f"Not asked whether {DEPENDS}: to find the clearest pair of methods reversed would take about "
            f"{found.needed} images (--audit {found.needed})."
        )
    if found.asked == () and len(found.names) > 1:
        return f"Not asked whether {DEPENDS}: no pair of methods differs significantly."
    if not found.conditions or len(found.names) < 2:
        return ""
    asked = f"Audit of {counted(len(found.names), 'image')} ({found.evaluations:,} more evaluations):"
    others = found.conditions[1:]
    changed = list(dict.fromkeys(other.changed for other in others if found.reversed_in(other)))
    if changed:
        return f"{asked} the ranking of methods depends on the {listed(changed)}; see the warnings."
    every = listed(list(dict.fromkeys(other.changed for other in others)))
    return f"{asked} no pair of methods is significantly reversed when one of these is changed: {every}."


def _open(found: Audit) -> str:
    unknown = [
        other
        for other, tau in zip(found.conditions[1:], found.agreements, strict=True)
        if not tau.low >= CLOSE and not found.reversed_in(other)
    ]
    if not unknown or found.asked is not None:
        return _not_asked(found)
    told = [
        f"{changed} ({', '.join(other.to for other in same)})"
        for changed, same in groupby(unknown, key=lambda other: other.changed)
    ]
    return (
        f"They are too few to tell whether the ranking stays the same (τ may be below {CLOSE}) with another "
        f"{listed(told)}."
    )


def _not_asked(found: Audit) -> str:
    every = len(found.methods) * (len(found.methods) - 1) // 2
    left = every - len(found.asked if found.asked is not None else range(every))
    if not found.conditions or not left:
        return ""
    return f"Not asked of {left} of {counted(every, 'pair')}: a reversal could not be found with so few images."


def _scope(found: Audit) -> str:
    order = sorted(found.r_oms, key=lambda name: -found.r_oms[name].mean)
    told = ", ".join(f"{name} {found.r_oms[name]}" for name in order)
    return f"R-OMS (1: the network still sees what it saw, while random regions go; 0: lost at once): {told}."


def _turned(value: Estimate) -> Estimate:
    return Estimate(-value.mean, -value.high, -value.low)
