"""Which heatmap method explains this network best, on these images?"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps import Conservation, check_heatmaps, explain_batches
from heatproof.heatmaps.explaining import Explained, OwnMethod
from heatproof.network.network import DEFAULT_MEMORY, Network, check_images
from heatproof.perturbation import Curves, Protocol, perturb_orders
from heatproof.perturbation.orders import orders_of_heatmaps, random_orders
from heatproof.perturbation.regions import as_regions
from heatproof.randomness import identify
from heatproof.studies.comparison import REFERENCE, Comparison, joined

DEFAULT_METHODS = ("lrp-epsilon", "lrp-alphabeta", "gradient-x-input", "sensitivity-l2", "deconvolution-l2")
OnTotal = Callable[[int, int], None]  # called with the evaluations done and those in all


def compare(
    network: Network,
    images: Tensor,
    methods: Sequence[str] | Mapping[str, str | OwnMethod | Tensor] = DEFAULT_METHODS,
    *,
    targets: Tensor | None = None,
    replacement: str = "uniform",
    regions: int | Tensor = 9,
    steps: int | None = None,
    repeats: int = 1,
    seed: int = 0,
    score: str = "logit",
    engine: str = "auto",
    memory: int = DEFAULT_MEMORY,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    on_progress: OnTotal | None = None,
) -> Comparison:
    """Compares heatmap methods by region perturbation, most relevant first, against the random order [Samek2017].

    All methods and the random order get the same replacement images, so differences are paired.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        methods: names (``heatproof list methods``), or a mapping from a name of yours to a method's name, to a callable
            ``(network, images, targets) -> (N, H, W)``, or to the heatmaps themselves (N, H, W).
        targets: (N,) class indices; by default the predicted classes.
        replacement: what a removed region becomes.
        regions: size of the grid's regions in pixels, or a map of region indices (H, W) or (N, H, W).
        steps: number L of regions to remove; by default 100, or all where there are fewer.
        repeats: how often, each time with another replacement image and another random order.
        seed: of all random draws.
        score: of the target: "logit" (the paper's), "probability", "log_probability" or "margin".
        engine: how perturbed images are evaluated.
        memory: bytes that activations and images may take.
        names: of the images, for tables and pictures.
        skipped: pictures that could not be used, each with the reason; they are counted in the result.
        on_progress: called with the number of network evaluations done, and of those in all.

    Returns:
        A ``Comparison``: ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"])
    >>> sorted(study.curves)
    ['lrp-epsilon', 'random order', 'sensitivity-l2']
    """
    started = time.perf_counter()
    check_images(images)
    protocol = Protocol(replacement, regions, steps, repeats, seed, score, engine, memory)
    computed, given = _sorted_out(methods, images)
    labels = _labels(names, images)
    identities = identify(images)
    region_maps = as_regions(regions, images)
    total = len(images) * (1 + (len(computed) + len(given) + 1) * repeats * protocol.steps_for(region_maps))
    progress = _Progress(total, on_progress)
    parts: list[dict[str, Curves]] = []
    batches: list[Explained] = []
    for batch in explain_batches(network, images, computed, targets=targets, memory=memory):
        done = slice(sum(len(b.targets) for b in batches), sum(len(b.targets) for b in batches) + len(batch.targets))
        batch = replace(batch, heatmaps=batch.heatmaps | {name: maps[done] for name, maps in given.items()})
        local = replace(protocol, regions=region_maps[done])
        orders = _orders(batch.heatmaps, local, identities[done])
        found = perturb_orders(network, images[done], orders, batch.targets, local, identities[done], progress.add)
        parts.append(
            {
                name: replace(curves, protocol=protocol, order="random" if name == REFERENCE else "morf")
                for name, curves in found.items()
            }
        )
        batches.append(batch)
    return Comparison(
        network=network.describe(),
        names=labels,
        images=images,
        classes=tuple(network.class_name(int(target)) for batch in batches for target in batch.targets),
        heatmaps={name: torch.cat([batch.heatmaps[name] for batch in batches]) for name in batches[0].heatmaps},
        curves={name: joined([part[name] for part in parts]) for name in parts[0]},
        conservation=_conservation(batches),
        protocol=protocol,
        skipped=tuple(skipped),
        notes=(*network.notes, *_without_graph(network, images)),
        seconds=time.perf_counter() - started,
    )


class _Progress:
    """Adds up evaluations for whoever watches."""

    def __init__(self, total: int, watcher: OnTotal | None) -> None:
        self.total = total
        self.done = 0
        self.watcher = watcher

    def add(self, evaluations: int) -> None:
        self.done += evaluations
        if self.watcher:
            self.watcher(self.done, self.total)


def _sorted_out(
    methods: Sequence[str] | Mapping[str, str | OwnMethod | Tensor], images: Tensor
) -> tuple[dict[str, str | OwnMethod], dict[str, Tensor]]:
    """Methods to compute, and heatmaps that were given, by name."""
    if isinstance(methods, str):
        raise TypeError(f"methods must be a list of names, got the text {methods!r}")
    named = dict(methods) if isinstance(methods, Mapping) else {name: name for name in methods}
    if not named or REFERENCE in named:
        raise InputError(f"methods must name at least one method, and none may be called {REFERENCE!r}")
    given = {name: method for name, method in named.items() if isinstance(method, Tensor)}
    for name, heatmaps in given.items():
        check_heatmaps(heatmaps, images, name)
    return {name: method for name, method in named.items() if not isinstance(method, Tensor)}, given


def _orders(heatmaps: Mapping[str, Tensor], protocol: Protocol, ids: list[str]) -> dict[str, Tensor]:
    """(N, 1 or repeats, L) order of each method and the reference."""
    regions = protocol.regions
    assert isinstance(regions, Tensor)
    steps, seed = protocol.steps_for(regions), protocol.seed
    orders = {
        name: orders_of_heatmaps(maps, regions, order="morf", steps=steps, seed=seed, ids=ids)
        for name, maps in heatmaps.items()
    }
    return orders | {REFERENCE: random_orders(regions, steps=steps, repeats=protocol.repeats, seed=seed, ids=ids)}


def _labels(names: Sequence[str] | None, images: Tensor) -> tuple[str, ...]:
    labels = tuple(f"image {number}" for number in range(len(images))) if names is None else tuple(names)
    if len(labels) != len(images) or len(set(labels)) != len(labels):
        raise InputError(f"names must be {len(images)} different names, one for each image")
    return labels


def _conservation(batches: list[Explained]) -> dict[str, Conservation]:
    methods = batches[0].conservation
    return {name: Conservation.join([batch.conservation[name] for batch in batches]) for name in methods}


def _without_graph(network: Network, images: Tensor) -> list[str]:
    reason = network.without_graph(tuple(images.shape[1:]))
    return [reason] if reason else []
