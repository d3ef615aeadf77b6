"""Figure 8: what a removed region becomes, by the area between the MoRF and LeRF curves."""

from collections.abc import Iterator
from pathlib import Path

import heatproof as hp
from reproduce.results import Result
from reproduce.sources import SOURCES, Size

REPLACEMENTS = ("uniform", "dirichlet", "constant", "blur")
PAPER = (
    "on SUN397 with LRP: ABPC of uniform 243.69, Dirichlet 239.8, constant 193.65, blur 113.75; blur and constant fail "
    "to remove information."
)


def run(shared: Path, size: Size) -> Iterator[Result]:
    """Table and figure on SUN397, the paper's data set, and on the others."""
    result = Result("figure8", "Figure 8: replacements", PAPER)
    for source in sorted(SOURCES, key=lambda source: source.name != "SUN397"):
        missing = source.missing(shared)
        if missing:
            result.text.append(missing)
            continue
        pictures = source.read(shared, size.images)
        study = hp.compare_replacements(
            source.load_network(shared), pictures.images, REPLACEMENTS, method="lrp-alphabeta", repeats=size.repeats,
            names=pictures.names,
        )  # fmt: skip
        result.add(f"{source.name} ({len(pictures.names)} images)", study.table())
        result.add("Differences on the same images", study.differences_table())
        result.text += [" ".join(study.verdict), f"*{study.work}.*"]
        result.figures[source.name.lower().replace(" ", "-")] = study.areas_figure()
    yield result
