"""How complex are the heatmaps of each method: file sizes, entropy, sparsity?"""

from torch import Tensor

from heatproof.network.network import Network
from heatproof.options.signatures import takes
from heatproof.options.studies import ComplexityArguments
from heatproof.perturbation import Protocol
from heatproof.report.studies.about import GALLERY_IMAGES
from heatproof.studies.complexity_study import Simplicity
from heatproof.studies.road.in_memory import compared
from heatproof.studies.task import Methods, named_methods
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


@takes(ComplexityArguments)
def complexity(network: Network, images: Tensor, options: ComplexityArguments) -> Simplicity:
    """Measures how complex the heatmaps of each method are [Samek2017].

    A heatmap's picture is the one that reports show: one pixel per pixel, white without relevance, red for and blue
    against the class, in full colour from the 99.5 % quantile of |relevance| of that map. Measured are its file sizes
    as PNG and as JPEG of quality 90 and its entropy (lower is simpler), and the Gini coefficient of |relevance| (higher
    is simpler).

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``Simplicity``: ``.values``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = complexity(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "random"])
    >>> {name: values.shape for name, values in study.values["PNG"].items()}
    {'lrp-epsilon': (4,), 'random': (4,)}
    """
    found = compared(
        network,
        images,
        wanted_complexity(options.methods, memory=options.memory),
        Progress(options.on_progress),
        targets=options.targets,
        names=options.names,
        skipped=options.skipped,
    )
    return Simplicity(found)


def wanted_complexity(methods: Methods, *, memory: int, seed: int = 0) -> Wanted:
    """What these options ask for: a comparison that removes nothing."""
    protocol = Protocol(seed=seed, memory=memory)
    return Wanted(methods=named_methods(methods), protocol=protocol, show=GALLERY_IMAGES, removes=False)
