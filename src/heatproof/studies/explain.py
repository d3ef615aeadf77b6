"""One picture per image and method."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from heatproof.data import Pictures
from heatproof.heatmaps import Conservation, explain_batches
from heatproof.network import Network
from heatproof.network.network import DEFAULT_MEMORY
from heatproof.report import heatmap_figure, save_figure
from heatproof.studies.task import sorted_out


@dataclass(frozen=True)
class Explanations:
    """What was written, and what a reader must know."""

    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def explain_pictures(
    network: Network,
    pictures: Pictures,
    methods: Mapping[str, str | Tensor],
    folder: Path,
    *,
    memory: int = DEFAULT_MEMORY,
) -> Explanations:
    """Writes ``folder/PICTURE.METHOD.png`` for every picture and method: the picture beside its heatmap.

    Methods are names, or heatmaps (N, H, W) that are there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    found: dict[str, list[Conservation]] = {}
    stems = _unique_stems(pictures.names)
    computed, given = sorted_out(methods, pictures.images)
    for batch in explain_batches(network, pictures.images, computed, memory=memory):
        for name, conservation in batch.conservation.items():
            found.setdefault(name, []).append(conservation)
        for row, (target, score) in enumerate(zip(batch.targets.tolist(), batch.scores.tolist(), strict=True)):
            number = len(files) // len(methods)
            picture = pictures.images[number].expand(3, -1, -1).permute(1, 2, 0).numpy()
            caption = f"{Path(pictures.names[number]).name}: {network.class_name(target)} ({score:.2f})"
            shown = {name: maps[row] for name, maps in batch.heatmaps.items()}
            shown |= {name: maps[number] for name, maps in given.items()}
            for method, heatmap in shown.items():
                figure = heatmap_figure(picture, heatmap.float().cpu().numpy(), title=method, caption=caption)
                files += save_figure(figure, folder / f"{stems[number]}.{_safe(method)}", formats=("png",))
    warnings = [text for name, parts in found.items() for text in Conservation.join(parts).warnings(name)]
    return Explanations(tuple(files), (*network.notes, *warnings))


def _unique_stems(names: Sequence[str]) -> list[str]:
    """File names without suffix, safe and different."""
    stems: list[str] = []
    for name in names:
        stem = _safe(Path(name).stem)
        stems.append(stem if stem not in stems else f"{stem}-{len(stems)}")
    return stems


def _safe(text: str) -> str:
    """A name that is safe in any file system: letters, digits, dot, dash, underscore and equals sign.

    >>> _safe("lrp-alphabeta[alpha=1,beta=0]")
    'lrp-alphabeta_alpha=1_beta=0'
    """
    return re.sub(r"[^\w.=-]+", "_", text).strip("_.") or "picture"
