"""One picture per image and method, and a page of the first ones."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from torch import Tensor

from heatproof.data import Pictures
from heatproof.defaults import DEFAULT_MEMORY
from heatproof.heatmaps import Conservation, explain_batches
from heatproof.network import Network
from heatproof.report import figure_bytes, heatmap_figure, render_page
from heatproof.report.page import Page, Section
from heatproof.report.studies.pictures import still
from heatproof.results.chosen import as_colours
from heatproof.runs.ledger import write_noted
from heatproof.studies.task import sorted_out
from heatproof.wording import counted

PAGE, ON_THE_PAGE = "report.html", 24


@dataclass(frozen=True)
class Explanations:
    """What was written, and what a reader must know.

    Attributes:
        files: names of the pictures, one for each image and method.
        page: name of the page with the first images.
        warnings: about the network, and what became of the score.
    """

    files: tuple[str, ...]
    page: str
    warnings: tuple[str, ...]


def explain_pictures(
    network: Network,
    pictures: Pictures,
    methods: Mapping[str, str | Tensor],
    folder: Path,
    *,
    against: int | str | None = None,
    memory: int = DEFAULT_MEMORY,
) -> Explanations:
    """Writes ``folder/PICTURE.METHOD.png`` for every picture and method: the picture beside its heatmap.

    ``folder/report.html`` shows the first 24 pictures. Methods are names, or heatmaps (N, H, W) that are there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[str] = []
    found: dict[str, list[Conservation]] = {}
    labels: list[str] = []
    kept: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    stems = _unique_stems(pictures.names)
    computed, given, _ = sorted_out(methods, pictures.images)
    for batch in explain_batches(network, pictures.images, computed, against=against, memory=memory):
        for name, conservation in batch.conservation.items():
            found.setdefault(name, []).append(conservation)
        classes = batch.classes(network)
        for row, (name, score) in enumerate(zip(classes, batch.scores.tolist(), strict=True)):
            number = len(labels)
            labels.append(f"{name} ({score:.2f})")
            (picture,) = as_colours(pictures.images[number : number + 1])
            caption = f"{Path(pictures.names[number]).name}: {labels[number]}"
            shown = {name: maps[row] for name, maps in batch.heatmaps.items()}
            shown |= {name: maps[number] for name, maps in given.items()}
            for method, heatmap in shown.items():
                values = heatmap.float().cpu().numpy()
                if number < ON_THE_PAGE:
                    kept[method].append(values)
                figure = heatmap_figure(picture, values, title=method, caption=caption)
                files.append(f"{stems[number]}.{_safe(method)}.png")
                write_noted(folder, files[-1], figure_bytes(figure, "png"))
    warnings = [text for name, parts in found.items() for text in Conservation.join(parts).warnings(name)]
    warnings = [*network.notes, *warnings]
    maps = {name: np.stack(parts) for name, parts in kept.items()}
    colours = as_colours(pictures.images[:ON_THE_PAGE])
    page = Page(
        f"Heatmaps of {network.name}",
        about=[counted(len(colours), "picture"), counted(len(maps), "method")],
        warnings=warnings,
        sections=[Section("Pictures", shown=still(colours, pictures.names, labels, maps))],
    )
    write_noted(folder, PAGE, render_page(page).encode())
    return Explanations(tuple(files), PAGE, tuple(warnings))


def _unique_stems(names: Sequence[str]) -> list[str]:
    """File names without suffix, safe and different.

    >>> _unique_stems(["a-2.png", "a.png", "a.jpg"])
    ['a-2', 'a', 'a-3']
    """
    stems: list[str] = []
    for name in names:
        stem = _safe(Path(name).stem)
        free = (f"{stem}-{number}" for number in count(len(stems)))
        stems.append(stem if stem not in stems else next(other for other in free if other not in stems))
    return stems


def _safe(text: str) -> str:
    """A name that is safe in any file system: letters, digits, dot, dash, underscore and equals sign.

    >>> _safe("lrp-alphabeta[alpha=1,beta=0]")
    'lrp-alphabeta_alpha=1_beta=0'
    """
    return re.sub(r"[^\w.=-]+", "_", text).strip("_.") or "picture"
