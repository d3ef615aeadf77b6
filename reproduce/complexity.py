"""Figure 5 and Table I: how complex the heatmaps are."""

from collections.abc import Iterator
from pathlib import Path

import heatproof as hp
from reproduce.results import Result
from reproduce.sources import SOURCES, Size

METHODS = {"sensitivity": "sensitivity-l2", "deconvolution": "deconvolution-l2", "LRP": "lrp-alphabeta"}
PAPER = (
    "mean file sizes in KB (SUN397 / ILSVRC2012 / Places), PNG and JPEG of quality 90: sensitivity 183 / 177 / 183 and "
    "25 / 22 / 25, deconvolution 166 / 164 / 167 and 20 / 18 / 20, LRP 154 / 154 / 155 and 14 / 13 / 14. "
    "The entropy ranks alike."
)


def run(shared: Path, size: Size) -> Iterator[Result]:
    """Table and figures for each data set."""
    result = Result("figure5", "Figure 5 and Table I: complexity of heatmaps", PAPER)
    for source in SOURCES:
        missing = source.missing(shared)
        if missing:
            result.text.append(missing)
            continue
        pictures = source.read(shared, size.images)
        study = hp.complexity(source.load_network(shared), pictures.images, METHODS, names=pictures.names)
        result.add(f"{source.name} ({len(pictures.names)} images)", study.table())
        result.text.append(" ".join(study.verdict))
        key = source.name.lower().replace(" ", "-")
        result.figures |= {f"{key}-{name}": figure for name, figure in study.figures().items()}
    yield result
