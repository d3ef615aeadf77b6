"""Which heatmap method explains this network best, on these images?"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from heatproof.defaults import DEFAULT_METHODS, SHOWN
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.audit import check_audit
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import check_measures
from heatproof.studies.racing import rule_of
from heatproof.studies.road.in_memory import compared
from heatproof.studies.task import Methods
from heatproof.studies.watching import OnTotal, Progress


def compare(
    network: Network,
    images: Tensor,
    methods: Methods = DEFAULT_METHODS,
    *,
    targets: Tensor | int | None = None,
    replacement: str = "uniform",
    regions: int | str | Tensor = 9,
    steps: int | str | None = None,
    repeats: int = 1,
    seed: int = 0,
    score: str = "logit",
    engine: str = "auto",
    memory: int = DEFAULT_MEMORY,
    statistics: Statistics | str | Path | None = None,
    scored: int | None = None,
    lerf: bool = False,
    measures: Sequence[str] = (),
    until: str | None = None,
    indifference: float | None = None,
    audit: int | None = None,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
    show: int | str = SHOWN,
    on_progress: OnTotal | None = None,
) -> Comparison:
    """Compares heatmap methods by region perturbation, most relevant first, against the random order [Samek2017].

    All methods and the random order get the same replacement images, so differences are paired.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        methods: names (``heatproof list methods``), or a mapping from a name of yours to a method's name, to a callable
            ``(network, images, targets) -> (N, H, W)``, to the heatmaps themselves (N, H, W), or to the ``Path`` of a
            file of them (``.npz``, ``.npy``, ``.zarr``, ``.safetensors``), where ``names`` finds those of each image.
        targets: (N,) class indices, or one for all images; by default the predicted classes.
        replacement: what a removed region becomes.
        regions: size of the grid's regions in pixels, "pixels", superpixels such as "slic[segments=100]", or a map of
            region indices (H, W) or (N, H, W).
        steps: number L of regions to remove; or "all"; by default 100, or all where there are fewer.
        repeats: how often, each time with another replacement image and another random order.
        seed: of all random draws.
        score: of the target: "logit" (the paper's), "probability", "log_probability" or "margin".
        engine: "full" evaluates the whole network at each step; "incremental" only what the step touches; "auto" takes
            what is faster, as measured.
        memory: bytes that activations and images may take.
        statistics: of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by default
            those of ``images``.
        scored: at how many of the steps the score is evaluated, one drawn at random in each of as many strata, for each
            image and repeat; by default at all. Means over steps stay unbiased.
        lerf: also remove the least relevant regions first, for measures between the two curves, such as ABPC.
        measures: that evaluate the network further: "naopc" (up to 16 regions), "naopc[beam=5]", "single-region".
        until: add images, in random order, only until it is settled whether each method is above or below the random
            order ("signs"), and how the methods rank ("ranked"), with a family-wise error of 5 % however often one
            looks. A method that is placed gets no more images.
        indifference: differences below this, in the score's unit, count as none for ``until``; by default a tenth
            of the random order's AOPC.
        audit: on how many images to ask whether the ranking would be the same with other replacements, orders, scores
            and sizes of regions, and how far off each replacement leads (R-OMS); 0 for none. By default on 4 to 16, as
            many as take a sixth of the comparison's evaluations. They come on top of these.
        names: of the images, for tables and pictures.
        skipped: pictures that could not be used, each with the reason; they are counted in the result.
        show: how many pictures the page shows, the first ones; or which, by name, separated by commas.
        on_progress: called with the number of network evaluations done, and of those in all.

    Returns:
        A ``Comparison``: ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``, ``.work``.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"])
    >>> sorted(study.morf)
    ['lrp-epsilon', 'random order', 'sensitivity-l2']
    """
    check_audit(audit)
    check_measures(measures)
    rule = rule_of(until, indifference)
    protocol = Protocol(
        replacement, regions, steps, repeats, seed, score, engine, memory, as_statistics(statistics), scored
    )
    return compared(
        network,
        images,
        methods,
        protocol,
        Progress(on_progress),
        targets=targets,
        names=names,
        lerf=lerf,
        measures=measures,
        rule=rule,
        audit=audit,
        show=show,
        skipped=skipped,
    )
