"""A network that has learned nothing: the same architecture and the same weights, in other places."""

import torch
from torch import nn

from heatproof.errors import InputError
from heatproof.network.copying import untouched_copy
from heatproof.randomness import addressed


def shuffled(module: nn.Module, seed: int) -> nn.Module:
    """A copy in which the entries of each parameter tensor are permuted; buffers stay.

    The distribution of each layer's weights is kept, so that activations keep their scale roughly. The permutation of a
    tensor depends on the seed and on its name alone. Running statistics of batch norms are buffers: they stay.

    Raises:
        InputError: for a module without parameters.

    >>> layer = nn.Linear(4, 3)
    >>> other = shuffled(layer, seed=0)
    >>> bool((other.weight.sort().values == layer.weight.sort().values).all()), other is layer
    (False, False)
    >>> bool((other.weight.flatten().sort().values == layer.weight.flatten().sort().values).all())
    True
    """
    found = untouched_copy(module)
    parameters = dict(found.named_parameters())
    if not parameters:
        raise InputError("the network has no parameters, so that there is nothing to randomise")
    for name, parameter in parameters.items():
        order = addressed(seed=seed, image=name, purpose="shuffled weights").permutation(parameter.numel())
        with torch.no_grad():
            flat = parameter.flatten()[torch.from_numpy(order).to(parameter.device)]
            parameter.copy_(flat.reshape(parameter.shape))
    return found
