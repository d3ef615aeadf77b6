"""Methods made of methods, written as a prefix, and the controls that belong beside a method."""

from typing import Annotated

from torch import Tensor

from heatproof.bounds import SEED
from heatproof.heatmaps.methods import WRAPPERS, ForwardPass, Make, Method, Relevance
from heatproof.network import Network

BLIND = ("random", "constant", "centre-gaussian", "sobel")  # controls that never saw the network


@WRAPPERS.register("negated")
def negated(make: Make, network: Network) -> Method:
    """The method's map with its sign flipped: it removes first what the method keeps longest."""
    method = make(network)
    return lambda forward: -_maps(method(forward))


@WRAPPERS.register("randomised")
def randomised(make: Make, network: Network, *, seed: Annotated[int, SEED] = 0) -> Method:
    """The method's map of a copy of the network with shuffled weights, for the same classes [Adebayo2018]."""
    make(network)  # refuses an unknown name before the copy is made

    def of_the_copy(forward: ForwardPass) -> Tensor:
        other = network.randomised(seed)
        return _maps(make(other)(other.forward_pass(forward.images, forward.targets)))

    return of_the_copy


def controls(method: str) -> tuple[str, ...]:
    """Names of the controls for ``method``: four maps that never saw the network, and two made of the method.

    >>> controls("lrp-epsilon")[2:]
    ('centre-gaussian', 'sobel', 'negated:lrp-epsilon', 'randomised:lrp-epsilon')
    """
    return (*BLIND, *(f"{prefix}:{method}" for prefix in WRAPPERS))


def _maps(found: Tensor | Relevance) -> Tensor:
    return found.heatmaps if isinstance(found, Relevance) else found
