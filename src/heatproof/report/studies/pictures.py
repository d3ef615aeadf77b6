"""Pictures of a page: with their heatmaps, and destroyed step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heatproof.perturbation import Curves
from heatproof.perturbation.replacing import replacement_images
from heatproof.report.page.walks import Shown, Walk
from heatproof.results.chosen import Chosen, as_colours
from heatproof.results.comparison import ComparisonResult
from heatproof.results.part import REFERENCE


def walks(found: ComparisonResult) -> list[Shown]:
    """How each method destroys each picture, in the first repeat."""
    chosen, protocol = found.shown, found.protocol
    if not chosen.numbers:
        return []
    regions, pixels = chosen.regions(protocol).numpy(), as_bytes(chosen.colours)
    if protocol.imputes:  # what is removed becomes something else with every step
        becomes: Sequence[np.ndarray | None] = [None] * len(pixels)
    else:
        identities = [found.identities[number] for number in chosen.numbers]
        made = replacement_images(chosen.images, replace(protocol, repeats=1), identities)[:, 0]
        becomes = list(as_bytes(as_colours(made)))
    return [
        Shown(
            name=Path(found.names[number]).name,
            label=label(found, number),
            image=pixels[place],
            walks=[
                _walk(chosen, place, name, found.morf[name])
                for name in found.morf
                if name in (*found.methods, REFERENCE) and number < len(found.morf[name].images)
            ],
            replacement=becomes[place],
            regions=regions[place],
        )
        for place, number in enumerate(chosen.numbers)
    ]


def label(found: ComparisonResult, number: int) -> str:
    """What the network sees in an image, and its score."""
    return f"{found.classes[number]} ({float(found.morf[REFERENCE].scores[number, 0, 0]):.1f})"


def _walk(chosen: Chosen, place: int, name: str, curves: Curves) -> Walk:
    number = chosen.numbers[place]
    heatmap = chosen.heatmaps[name][place].float().cpu().numpy() if name in chosen.heatmaps else None
    return Walk(
        name=name,
        heatmap=None if heatmap is None or np.isnan(heatmap).all() else heatmap,
        order=curves.of(slice(number, number + 1)).orders[0, 0].cpu().numpy(),
        steps=curves.scored[number, 0].cpu().numpy(),
        scores=curves.scores[number, 0].double().cpu().numpy(),
    )


def still(
    colours: np.ndarray, names: Sequence[str], labels: Sequence[str], maps: Mapping[str, np.ndarray]
) -> list[Shown]:
    """Pictures (n, H, W, 3) with their heatmaps (n, H, W); nothing is removed."""
    pixels = as_bytes(colours)
    return [
        Shown(Path(names[i]).name, labels[i], pixels[i], [Walk(name, heatmap=found[i]) for name, found in maps.items()])
        for i in range(len(pixels))
    ]


def as_bytes(colours: np.ndarray) -> np.ndarray:
    """(n, H, W, 3) bytes of colours in [0, 1]."""
    pixels: np.ndarray = np.rint(colours.clip(0, 1) * 255).astype(np.uint8)
    return pixels
