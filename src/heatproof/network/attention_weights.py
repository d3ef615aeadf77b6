"""Weights of attention in a recorded forward pass, and what signals bring to them; (N, heads, T, T) for each layer."""

from collections.abc import Iterator

import torch
from torch import Tensor

from heatproof.network.forward import ForwardPass
from heatproof.network.operations.relevance import divided
from heatproof.network.rules import Composite
from heatproof.network.tokens import by_heads
from heatproof.network.tokens.self_attention import Layer


def weights(forward: ForwardPass) -> Iterator[Tensor]:
    """Weights A of each layer, the first one first; rows are queries."""
    for layer in forward.attention.layers:
        yield _heads(forward, layer.operation.weights(forward.record(layer.node)))


@torch.no_grad()
def gradients(forward: ForwardPass) -> Iterator[Tensor]:
    """Derivatives ∇A of f with respect to the weights of each layer."""
    layers = forward.attention.layers
    arriving = forward.gradients_at({layer.node.name for layer in layers})
    for layer in layers:
        yield _at_weights(forward, layer, arriving[layer.node.name])


@torch.no_grad()
def relevances(forward: ForwardPass, composite: Composite) -> Iterator[Tensor]:
    """Relevance of the weights of each layer: half of that of O = A V, in proportion to what each of them adds."""
    layers = forward.attention.layers
    arriving = forward.relevance_at({layer.node.name for layer in layers}, composite)
    for layer, own in zip(layers, weights(forward), strict=True):
        output = forward.record(layer.node).output.detach()
        yield own * _at_weights(forward, layer, divided(arriving[layer.node.name], output) / 2)


@torch.no_grad()
def gradients_of_blocks(forward: ForwardPass) -> Iterator[Tensor]:
    """Derivatives, with respect to the weights of each layer, of the score that the stream behind its block has.

    That score is what follows the last block, evaluated on the stream as if there were no later blocks.
    """
    attention, nodes = forward.attention, {node.name: node for node in forward.graph}
    for layer, stream in zip(attention.layers, attention.streams(), strict=True):
        with torch.enable_grad():
            value = forward.record(nodes[stream]).output.detach().requires_grad_()
            scores = forward.scores_with(attention.streams()[-1], value)
            (signal,) = torch.autograd.grad(scores.sum(), value)
        arriving = forward.gradient_between(signal, stream, layer.node.name)
        yield _at_weights(forward, layer, arriving)


def _at_weights(forward: ForwardPass, layer: Layer, signal: Tensor) -> Tensor:
    return _heads(forward, layer.operation.sent_to_weights(forward.record(layer.node), signal))


def _heads(forward: ForwardPass, values: Tensor) -> Tensor:
    return by_heads(values, len(forward.inputs))
