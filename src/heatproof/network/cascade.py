"""Layers by their parameters, and the cascade in which their weights are shuffled, from the output to the input."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from heatproof.network.copying import parameters_of


@dataclass(frozen=True)
class CascadeStep:
    """One step of the cascade.

    Attributes:
        layers: how many layers are shuffled by now.
        of: how many layers there are.
        last: name of the layer that was shuffled last, the nearest to the input.
        parameters: names of all parameters that are shuffled by now.
    """

    layers: int
    of: int
    last: str
    parameters: frozenset[str]

    def __str__(self) -> str:
        return f"{self.layers} of {self.of}: {self.last}"


def layers_of(module: nn.Module, read: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of the parameters of each layer, in the order in which the network evaluates the layers.

    Args:
        module: the network.
        read: names of parameters in the order in which they are read, as far as that is known. A layer that is not
            among them, as batch norms are not that became part of a convolution, belongs to the one before it.

    Raises:
        InputError: for a module without parameters.

    >>> module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    >>> layers_of(module, ["0.weight", "0.bias", "2.weight", "2.bias"])
    {'0': ('0.weight', '0.bias', '1.weight', '1.bias'), '2': ('2.weight', '2.bias')}
    """
    order: dict[str, int] = {}
    for name in read:
        order.setdefault(_layer(name), len(order))
    found: dict[str, tuple[str, ...]] = {}
    layer = ""
    for name in parameters_of(module):
        own = _layer(name)
        layer = own if own in order or not order or not found else layer
        found[layer] = (*found.get(layer, ()), name)
    return {layer: found[layer] for layer in sorted(found, key=lambda layer: order.get(layer, -1))}


def cascade(layers: dict[str, tuple[str, ...]], most: int) -> list[CascadeStep]:
    """Steps in which all layers are shuffled, evenly many in each if there are more layers than ``most`` steps.

    Args:
        layers: names of the parameters of each layer, the one at the input first.
        most: how many steps there may be.

    >>> [str(step) for step in cascade({"conv": ("conv.weight",), "norm": ("norm.weight",), "fc": ("fc.weight",)}, 2)]
    ['1 of 3: fc', '3 of 3: conv']
    """
    names, count = list(layers)[::-1], min(most, len(layers))
    ends = [len(names) * (number + 1) // count for number in range(count)]
    return [
        CascadeStep(end, len(names), names[end - 1], frozenset(one for name in names[:end] for one in layers[name]))
        for end in ends
    ]


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]
