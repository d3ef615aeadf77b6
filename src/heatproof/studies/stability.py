"""How much do heatmaps change with the image, where the score hardly does?"""

from torch import Tensor

from heatproof.network.network import Network
from heatproof.options.changing import StabilityArguments, StabilityOptions
from heatproof.options.signatures import takes
from heatproof.studies.changing.asking import changed_in_memory
from heatproof.studies.stability_study import Stability


@takes(StabilityArguments)
def stability(network: Network, images: Tensor, options: StabilityArguments) -> Stability:
    """Measures how much heatmaps change under noise and shifts that leave the score alone [Agarwal2022, Yeh2019].

    Of each image, noisy and shifted ones are made, and their heatmaps for the same target computed; those of shifted
    images are shifted back, and compared without the edges. Measured are the change, Σ|ĥ′ − ĥ| of maps scaled to
    Σ|ĥ| = 1 (lower is more stable, from 0 to 2), and Spearman's correlation of the pixels (higher is). Changed images
    on which the predicted class or the target's logit does not stay are left out, and counted. A heatmap that is all
    zero has no value. A map that is always the same is perfectly stable: stability does not say that a map is right.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``Stability``: ``.values``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    Raises:
        InputError: for precomputed heatmaps, and for a shift by half of the image or more.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> study = stability(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "centre-gaussian"], tolerance=10.0)
    >>> {name: values.shape for name, values in study.values["change under noise"].items()}
    {'lrp-epsilon': (4,), 'centre-gaussian': (4,)}
    """
    return Stability(changed_in_memory(network, images, StabilityOptions, options))
