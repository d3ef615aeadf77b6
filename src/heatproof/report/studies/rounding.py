"""What another precision changed: sentence, warning and table of a comparison."""

from heatproof.report.tables import Table
from heatproof.results.rounding import SMALL, Rounding
from heatproof.wording import counted, listed


def verdict(found: Rounding) -> list[str]:
    """The errors of scores, and of what methods are compared by."""
    text = (
        f"Evaluated in {found.precision}: on {counted(len(found.names), 'image')} scores differ from those in float32 "
        f"by {found.largest:.2g} of their range at most, {found.mean:.2g} on average"
    )
    name, worst = max(found.methods.items(), key=lambda one: abs(one[1].error))
    text += f", the mean of a method by {abs(worst.error):.2g} at most ({name})"
    if found.closest is not None:
        text += f"; the closest two methods differ by {found.closest:.2g}"
    return [f"{text}."]


def warnings(found: Rounding) -> list[str]:
    """Which methods' errors are not small beside their intervals."""
    if not found.too_large:
        return []
    return [
        f"precision {found.precision} changes the mean of {listed(found.too_large)} by more than {SMALL:.0%} of half "
        "the width of the interval, which does not say so: evaluate in float32"
    ]


def table(found: Rounding) -> Table:
    """What methods are compared by, in both precisions."""
    rows = tuple((name, one.exact, one.rounded, one.error, one.half_width) for name, one in found.methods.items())
    note = (
        f"Means over {counted(len(found.names), 'image')} that were perturbed again in the same way. Half width: of "
        "the 95 % interval over all images of the comparison."
    )
    return Table(("method", "float32", found.precision, "error", "half width"), rows, (note,))
