"""Which heatmap method explains this network best, on these images?"""

from dataclasses import replace

from torch import Tensor

from heatproof.network.network import Network
from heatproof.options.option import shared_values
from heatproof.options.perturbing import Examining
from heatproof.options.signatures import takes
from heatproof.options.studies import CompareArguments, CompareOptions
from heatproof.perturbation import Protocol
from heatproof.studies.comparison import Comparison
from heatproof.studies.racing import rule_of
from heatproof.studies.road.in_memory import compared
from heatproof.studies.task import Methods, named_methods, with_variants
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


@takes(CompareArguments)
def compare(network: Network, images: Tensor, options: CompareArguments) -> Comparison:
    """Compares heatmap methods by region perturbation, most relevant first, against the random order [Samek2017].

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
    >>> sorted(study.morf)
    ['lrp-epsilon', 'random order', 'sensitivity-l2']
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
    wanted = wanted_curves(options, methods, with_controls=options.controls)
    return replace(wanted, rule=rule_of(options.until, options.indifference))


def wanted_curves(options: Examining, methods: Methods, *, with_controls: bool = False) -> Wanted:
    """What these options ask for of a comparison of all images."""
    variants, tuned = with_variants(methods)
    named = named_methods(variants, with_controls=with_controls)
    given = {"methods": named, "tuned": tuned, "protocol": Protocol.of(options)}
    return Wanted(**shared_values(options, Wanted) | given)
