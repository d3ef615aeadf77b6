"""Figures 4 and 6: which heatmaps explain, by region perturbation, on three data sets."""

from collections.abc import Iterator
from pathlib import Path

import heatproof as hp
from reproduce.results import Result
from reproduce.sources import SOURCES, Size

METHODS = {
    "LRP (α = 2, β = −1)": "lrp-alphabeta",
    "LRP (ε = 0.01)": "lrp-epsilon[epsilon=0.01]",
    "LRP (ε = 100)": "lrp-epsilon[epsilon=100]",
    "sensitivity (2-norm)": "sensitivity-l2",
    "sensitivity (∞-norm)": "sensitivity-linf",
    "deconvolution (2-norm)": "deconvolution-l2",
    "deconvolution (∞-norm)": "deconvolution-linf",
}
PAPER_4 = (
    "on all three data sets LRP (ε = 0.01 slightly above αβ) > deconvolution > random; sensitivity starts above random "
    "on ILSVRC2012 and Places and lies below random on SUN397; gaps are far larger on ILSVRC2012."
)
PAPER_6 = (
    "LRP's heatmaps are sparse and show evidence for and against, sensitivity's are noisy, "
    "deconvolution's follow edges."
)


def run(shared: Path, size: Size) -> Iterator[Result]:
    """Both figures; what is missing is named."""
    curves = Result("figure4", "Figure 4: AOPC relative to the random order", PAPER_4)
    gallery = Result("figure6", "Figure 6: heatmaps of the methods", PAPER_6)
    for source in SOURCES:
        missing = source.missing(shared)
        if missing:
            curves.text.append(missing)
            continue
        pictures = source.read(shared, size.images)
        study = hp.compare(
            source.load_network(shared), pictures.images, METHODS, protocol="samek2017", repeats=size.repeats,
            names=pictures.names, skipped=pictures.skipped,
        )  # fmt: skip
        key = source.name.lower().replace(" ", "-")
        curves.add(f"{source.name} ({len(pictures.names)} images; in the paper: {source.stands_for})", study.table())
        curves.text += [" ".join(study.verdict), f"*{study.work}.*", *study.warnings]
        curves.figures[key] = study.relative_figure()
        gallery.figures[key] = study.gallery_figure()
    yield curves
    yield gallery
