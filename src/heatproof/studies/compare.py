"""Which heatmap method explains this network best, on these images?"""

from dataclasses import replace

from torch import Tensor

from heatproof.defaults import CANDIDATES, OF_TRANSFORMERS
from heatproof.network.network import Network
from heatproof.options.option import shared_values
from heatproof.options.perturbing import Examining
from heatproof.options.signatures import takes
from heatproof.options.studies import CompareArguments, CompareOptions
from heatproof.perturbation.protocols import is_open, named, protocol_of
from heatproof.studies.comparison import Comparison
from heatproof.studies.planted import wanted_witness
from heatproof.studies.racing import rule_of
from heatproof.studies.road.in_memory import compared
from heatproof.studies.task import Methods, named_methods, with_controls, with_variants
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


@takes(CompareArguments)
def compare(network: Network, images: Tensor, options: CompareArguments) -> Comparison:
    """Compares heatmap methods by region perturbation, in both orders, with controls [Samek2017].

    For each method the most and the least relevant regions are removed first; their difference (ABPC) is what methods
    are compared by. A method is shown to explain if it is significantly better than the random order, than maps that
    never saw the network, and than its own maps of other images. The protocol is chosen on a pilot, whose images are
    not judged; with ``protocol="samek2017"`` methods are compared by AOPC against the random order, as in the paper.

    All methods and the random order get the same replacement images, so differences are paired.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``Comparison``: ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``, ``.work``.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = compare(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"])
    >>> sorted(study.methods), sorted(study.controls)[2:5]
    (['lrp-epsilon', 'sensitivity-l2'], ['centre-gaussian', 'centred-sobel', 'occlusion'])
    """
    wanted = wanted_comparison(options, options.methods)
    return compared(
        network,
        images,
        wanted,
        Progress(options.on_progress),
        targets=options.targets,
        names=options.names,
        skipped=options.skipped,
    )


def wanted_comparison(options: CompareOptions, methods: Methods) -> Wanted:
    """What these options ask for."""
    wanted = wanted_curves(options, methods)
    witness = wanted_witness(wanted) if options.planted else None
    return replace(wanted, rule=rule_of(options.until, options.indifference), witness=witness)


def wanted_curves(options: Examining, methods: Methods) -> Wanted:
    """What these options ask for of a comparison of all images."""
    variants, tuned = with_variants(methods)
    symmetric, all_methods = named(options.protocol).symmetric, named_methods(variants)
    if symmetric if options.controls is None else options.controls:
        all_methods = with_controls(all_methods, symmetric=symmetric)
    candidates = (*CANDIDATES, *OF_TRANSFORMERS) if is_open(options) else ()
    given = {
        "methods": all_methods,
        "tuned": tuned,
        "protocol": protocol_of(options, options.protocol),
        "candidates": {name: protocol_of(options, name) for name in candidates},
        "symmetric": symmetric,
        "lerf": symmetric or options.lerf,
        "planted": None,  # nothing is planted into these pictures
    }
    return Wanted(**shared_values(options, Wanted) | given)
