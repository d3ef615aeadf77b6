"""A network with another last layer, which says how much of something there is."""

from typing import Literal

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.copying import untouched_copy
from heatproof.network.graph import Graph
from heatproof.network.network import Network
from heatproof.network.readout import split_readout

Reads = Literal["features", "scores"]


def head_reads(network: Network, shape: tuple[int, ...]) -> Reads:
    """What a new head reads: "features", those of the last dense layer, whose place it takes, or the class "scores".

    It reads scores where no dense layer gives them alone: where a convolution, a sum or another function comes last,
    or where the network has no graph.
    """
    return "features" if _last_layer(network, shape) else "scores"


def features(network: Network, images: Tensor) -> Tensor:
    """(B, F) what a new head reads of (B, C, H, W) images in [0, 1], in one batch on this device."""
    last = _last_layer(network, tuple(images.shape[1:]))
    if last is None:
        return network.logits(images)
    with torch.inference_mode():
        return last[1].evaluate(network.inputs(images).contiguous(memory_format=torch.channels_last))


def with_head(
    network: Network, shape: tuple[int, ...], weight: Tensor, bias: float, classes: tuple[str, str]
) -> Network:
    """A network with two classes: the second has the score ``weight · features + bias``, the first its negative.

    Args:
        network: as it stays.
        shape: (C, H, W) of images.
        weight: (F,) of ``features``.
        bias: that is added.
        classes: their names.

    Raises:
        InputError: if the network has another number of features.
    """
    last = _last_layer(network, shape)
    module = untouched_copy(network.module)
    inputs = network.trial(shape).classes if last is None else module.get_submodule(last[0]).in_features
    if len(weight) != inputs:
        raise InputError(f"expected a head that reads {inputs} values of {network.name}, got one of {len(weight)}")
    head = nn.Linear(len(weight), 2, device=network.device, dtype=network.dtype)
    with torch.no_grad():
        head.weight.copy_(torch.stack([-weight, weight]))
        head.bias.copy_(torch.tensor([-bias, bias]))
    if last is None:
        module = nn.Sequential(module, head)
    else:
        module.set_submodule(last[0], head)
    found = Network(
        module, preprocessing=network.preprocessing, name=network.name, classes=classes, notes=network.notes
    )
    found.source = network.source
    return found


def _last_layer(network: Network, shape: tuple[int, ...]) -> tuple[str, Graph] | None:
    """Path of the dense layer that gives the scores, and the graph up to it; none where there is no such layer."""
    graph = network.trial(shape).graph
    split = split_readout(graph) if isinstance(graph, Graph) else None
    if split is None or split[1].after or split[1].layer.weight.ndim != 2:
        return None
    weight = split[1].layer.weight
    paths = [
        path
        for path, part in network.module.named_modules()
        if path and type(part) is nn.Linear and part.weight.shape == weight.shape and torch.equal(part.weight, weight)
    ]
    return (paths[0], split[0]) if len(paths) == 1 else None
