"""How complex are the heatmaps of each method: file sizes, entropy, sparsity?"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from heatproof.defaults import DEFAULT_METHODS
from heatproof.heatmaps import explain_batches
from heatproof.measures.complexity import entropy, gini, jpeg_size, png_size
from heatproof.network.inputs import check_images
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.report import heatmap_rgb
from heatproof.studies.simplicity import GALLERY_IMAGES, QUANTITIES, Simplicity
from heatproof.studies.task import Methods, labelled, sorted_out
from heatproof.studies.watching import OnTotal


def complexity(
    network: Network,
    images: Tensor,
    methods: Methods = DEFAULT_METHODS,
    *,
    targets: Tensor | int | None = None,
    memory: int = DEFAULT_MEMORY,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    on_progress: OnTotal | None = None,
) -> Simplicity:
    """Measures how complex the heatmaps of each method are [Samek2017].

    A heatmap's picture is the one that reports show: one pixel per pixel, white without relevance, red for and blue
    against the class, in full colour from the 99.5 % quantile of |relevance| of that map. Measured are its file sizes
    as PNG and as JPEG of quality 90 and its entropy (lower is simpler), and the Gini coefficient of |relevance| (higher
    is simpler).

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        methods: as in ``compare``: names, or a mapping from your name to a name, a callable, heatmaps (N, H, W), or
            the ``Path`` of a file of them.
        targets: (N,) class indices, or one for all images; by default the predicted classes.
        memory: bytes that activations may take.
        names: of the images.
        skipped: pictures that could not be used, each with the reason.
        on_progress: called with the number of images done, and of all.

    Returns:
        A ``Simplicity``: ``.values``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = complexity(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "random"])
    >>> {name: values.shape for name, values in study.values["PNG"].items()}
    {'lrp-epsilon': (4,), 'random': (4,)}
    """
    check_images(images)
    computed, given = sorted_out(methods, images, names)
    labels = labelled(names, images)
    parts: list[dict[str, dict[str, np.ndarray]]] = []
    shown: dict[str, list[np.ndarray]] = {name: [] for name in (*computed, *given)}
    done = 0
    for batch in explain_batches(network, images, computed, targets=targets, memory=memory):
        part = slice(done, done + len(batch.targets))
        maps = batch.heatmaps | {name: heatmaps[part] for name, heatmaps in given.items()}
        arrays = {name: heatmaps.float().cpu().numpy() for name, heatmaps in maps.items()}
        parts.append({name: measure(heatmaps) for name, heatmaps in arrays.items()})
        for name, heatmaps in arrays.items():
            shown[name].append(heatmaps[: max(0, GALLERY_IMAGES - done)])
        done = part.stop
        if on_progress:
            on_progress(done, len(images))
    return Simplicity(
        network=network.describe(),
        names=labels,
        images=images[:GALLERY_IMAGES],
        heatmaps={name: np.concatenate(maps) for name, maps in shown.items()},
        values={
            quantity: {name: np.concatenate([part[name][quantity] for part in parts]) for name in shown}
            for quantity in QUANTITIES
        },
        skipped=tuple(skipped),
        notes=tuple(network.notes),
    )


def measure(heatmaps: np.ndarray) -> dict[str, np.ndarray]:
    """Every quantity (N,) of signed heatmaps (N, H, W), by its name in ``QUANTITIES``."""
    pictures = np.stack([heatmap_rgb(heatmap) for heatmap in heatmaps])
    return {
        "PNG": png_size(pictures),
        "JPEG": jpeg_size(pictures),
        "entropy": entropy(pictures),
        "Gini": gini(heatmaps),
    }
