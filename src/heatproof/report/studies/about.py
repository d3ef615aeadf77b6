"""What the pages of all studies say: what it was made from, what is missing, and what it depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

from heatproof.defaults import FLOAT32
from heatproof.measures import estimate_curve
from heatproof.network.against import SECOND
from heatproof.perturbation import Curves, Protocol
from heatproof.perturbation.statistics import OF_THIS_RUN
from heatproof.report.charts import Band
from heatproof.results.cells import CellsResult
from heatproof.runs.serialization import environment
from heatproof.wording import counted

STEPS = "removed regions"
BANDS = "bands are pointwise 95 % intervals"
GALLERY_IMAGES = 6  # on paper
GALLERY = "Images and heatmaps; red is evidence for the class, blue against it"


def notes_on(*protocols: Protocol) -> list[str]:
    """What a reader must know about replacements that are fitted to a data set, with the same statistics."""
    fitted = {protocol.replacement: protocol.statistics for protocol in protocols if protocol.uses_statistics}
    if not fitted:
        return []
    statistics = next(iter(fitted.values()))
    assert statistics is not None
    own = "; --statistics takes those of a larger data set" if statistics.source == OF_THIS_RUN else ""
    return [f"mean and spread for {', '.join(fitted)} come from {statistics}{own}"]


def notes_of_cells(found: CellsResult) -> list[str]:
    """What else a reader of several comparisons must know; what is said of each replacement is said once."""
    protocols = [cell.protocol for cell in found.cells.values()]
    alone = {note for protocol in protocols for note in notes_on(protocol)}
    said = dict.fromkeys(note for cell in found.cells.values() for note in cell.notes if note not in alone)
    return [*said, *notes_on(*protocols)]


def images_of_cells(found: CellsResult) -> dict[str, Any]:
    """Which cells and images there are, as JSON-able values."""
    images = dict(zip(found.names, found.first.identities, strict=True))
    return {"cells": list(found.cells), "images": images}


def steps_of(curves: Curves) -> str:
    """How many steps there are, and how many were scored, if not all."""
    scored = curves.scores.shape[-1] - 1
    return f"{curves.steps} steps" if scored == curves.steps else f"{curves.steps} steps ({scored} of them scored)"


def protocol_words(protocol: Protocol) -> Sequence[str]:
    """How regions were removed."""
    regions = str(protocol.describe()["regions"])
    return [
        f"regions of {regions} × {regions} pixels" if regions.isdecimal() else f"regions {regions}",
        f"replacement {protocol.replacement}",
        counted(protocol.repeats, "repeat"),
        f"seed {protocol.seed}",
        *([] if protocol.precision == FLOAT32 else [f"evaluated in {protocol.precision}"]),
        *([] if protocol.against is None else [f"targets against {against_words(protocol.against)}"]),
    ]


def against_words(against: int | str) -> str:
    """The class that targets are asked against.

    >>> against_words(7), against_words("second")
    ('class 7', 'the second highest class of each image')
    """
    named = f"class {against}" if isinstance(against, int) else against
    return "the second highest class of each image" if against == SECOND else named


def score_band(name: str, curves: Curves, *, is_reference: bool = False) -> Band:
    """The mean score over images and repeats with pointwise 95 % intervals, where each score stands for."""
    values = curves.scores.double().mean(dim=1).numpy()
    return Band(name, *estimate_curve(values), is_reference=is_reference, at=curves.middles.numpy())


def depends_on(seed: int, images: int, network: Mapping[str, Any]) -> str:
    """What results depend on beside the command."""
    about = environment()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"seed {seed}; {images} images; network {network['name']}, weights (blake2b) {network['weights_blake2b']}; "
        f"{versions}; {about['machine']['threads']} threads on {about['machine']['processor']}"
    )
