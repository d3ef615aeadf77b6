"""Figure 8: what a removed region becomes, by the area between the MoRF and LeRF curves, on all networks at hand."""

from collections.abc import Iterator

import heatproof as hp
from heatproof.report import Table
from heatproof.report.tables import Cell
from reproduce.cells import Size, at_hand
from reproduce.results import Result

REPLACEMENTS = ("uniform", "dirichlet", "constant", "blur")
PAPER = (
    "on SUN397 with LRP: ABPC of uniform 243.69, Dirichlet 239.8, constant 193.65, blur 113.75; blur and constant fail "
    "to remove information."
)
SCORED = 20  # of the steps


def run(size: Size) -> Iterator[Result]:
    """One table of all, how many say what the paper found, and the figures."""
    result = Result("figure8", "Figure 8: replacements", PAPER)
    rows: list[tuple[Cell, ...]] = []
    found = dict.fromkeys([("uniform", "blur"), ("uniform", "constant"), ("dirichlet", "blur")], (0, 0))
    for one in at_hand(size, result):
        study = hp.compare_replacements(
            one.network, one.pictures.images, REPLACEMENTS, method="lrp-alphabeta", repeats=size.repeats,
            scored=SCORED, names=one.pictures.names,
        )  # fmt: skip
        rows.append((one.name, *(study.abpc[name].mean for name in REPLACEMENTS)))
        for (first, second), (above, below) in found.items():
            difference = study.differences.get((first, second)) or study.differences[second, first]
            ahead = difference.above if (first, second) in study.differences else difference.below
            behind = difference.below if (first, second) in study.differences else difference.above
            found[first, second] = (above + ahead, below + behind)
        result.text += [f"{one.name}: {' '.join(study.verdict)}"]
        result.figures[one.key] = study.areas_figure()
    for (first, second), (above, below) in found.items():
        result.text.insert(0, f"{first} significantly above {second}: {above} of {len(rows)}; below: {below}.")
    result.add("ABPC", Table(("network", *REPLACEMENTS), tuple(rows)))
    yield result
