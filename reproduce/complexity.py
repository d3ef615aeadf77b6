"""Figure 5 and Table I: how complex the heatmaps are, on all networks at hand."""

from collections.abc import Iterator

import heatproof as hp
from heatproof.errors import InputError
from heatproof.report import Table
from heatproof.report.tables import Cell
from reproduce.cells import Size, at_hand
from reproduce.results import Result

METHODS = {"LRP": "lrp-alphabeta", "deconvolution": "deconvolution-l2", "sensitivity": "sensitivity-l2"}
QUANTITIES = ("PNG", "JPEG", "entropy")
PAPER = (
    "mean file sizes in KB (SUN397 / ILSVRC2012 / Places), PNG and JPEG of quality 90: sensitivity 183 / 177 / 183 and "
    "25 / 22 / 25, deconvolution 166 / 164 / 167 and 20 / 18 / 20, LRP 154 / 154 / 155 and 14 / 13 / 14. "
    "The entropy ranks alike."
)


def run(size: Size) -> Iterator[Result]:
    """One table of all, the order of each, and the figures."""
    result = Result("figure5", "Figure 5 and Table I: complexity of heatmaps", PAPER)
    rows: list[tuple[Cell, ...]] = []
    as_printed = dict.fromkeys(QUANTITIES, 0)
    for one in at_hand(size, result):
        try:
            study = hp.complexity(one.network, one.pictures.images, METHODS, names=one.pictures.names)
        except InputError as error:  # deconvolution is not defined for transformers
            result.text.append(f"{one.name}: {error}")
            continue
        means = {q: {method: study.estimates[q][method].mean for method in METHODS} for q in QUANTITIES}
        rows += [(one.name, method, *(means[q][method] for q in QUANTITIES)) for method in METHODS]
        for quantity, found in means.items():
            as_printed[quantity] += sorted(found, key=lambda method: found[method]) == list(METHODS)
        result.text.append(f"{one.name}: {' '.join(study.verdict)}")
        result.figures |= {f"{one.key}-{name}": figure for name, figure in study.figures().items()}
    count = len(rows) // len(METHODS)
    told = ", ".join(f"{quantity} {number} of {count}" for quantity, number in as_printed.items())
    result.text.insert(0, f"The paper's order, {' < '.join(METHODS)}, is that of the means here: {told}.")
    result.add("Means", Table(("network", "method", "PNG, KB", "JPEG, KB", "entropy, bits"), tuple(rows)))
    yield result
