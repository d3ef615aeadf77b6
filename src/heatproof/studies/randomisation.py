"""Do heatmaps follow the weights of the network?"""

from torch import Tensor

from heatproof.network.network import Network
from heatproof.options.changing import RandomisationArguments, RandomisationOptions
from heatproof.options.signatures import takes
from heatproof.studies.changing.asking import changed_in_memory
from heatproof.studies.randomisation_study import Randomisation


@takes(RandomisationArguments)
def randomisation(network: Network, images: Tensor, options: RandomisationArguments) -> Randomisation:
    """Measures how heatmaps follow the weights, which are shuffled layer by layer from the output on [Adebayo2018].

    The entries of each parameter tensor of one more layer (or group of layers) are permuted, and the heatmaps of the
    same targets computed again. Measured is Spearman's correlation of |relevance| with that by the untouched network,
    for each step, and its mean over the steps: lower follows the weights. A map that stays at 1 does not depend on
    them. It is a sanity check, and no ranking: noisy maps fall fastest [Binder2023, Sundararajan2018]. A heatmap that
    is all zero has no value.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``Randomisation``: ``.curves``, ``.values``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``,
        ``.save(folder)``.

    Raises:
        InputError: for precomputed heatmaps.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = randomisation(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "centre-gaussian"])
    >>> study.steps
    ('1 of 2: 3', '2 of 2: 0')
    >>> study.curves["centre-gaussian"][0]
    array([1., 1., 1.])
    """
    return Randomisation(changed_in_memory(network, images, RandomisationOptions, options))
