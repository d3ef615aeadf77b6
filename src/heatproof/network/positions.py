"""Relevance of positions: what is added to tokens to say where they are, and how it gets to their patches."""

from collections.abc import Mapping

from torch import Tensor

from heatproof.network.backward import send_back
from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Signals, Trace
from heatproof.network.operations.attention import Attention, MatMul
from heatproof.network.operations.weighted import Weighted
from heatproof.network.rules import Flat


def adding_positions(graph: Graph) -> frozenset[str]:
    """Names of the sums at which positions are added to tokens, before any attention mixes these."""
    mixed: set[str] = set()
    found = set()
    for node in graph:
        if isinstance(node.operation, Attention | MatMul) or not mixed.isdisjoint(node.inputs):
            mixed.add(node.name)
        elif node.operation.keeps == "positions":
            found.add(node.name)
    return frozenset(found)


def in_patches(graph: Graph, records: Mapping[str, Trace], at: str, relevance: Tensor) -> Tensor:
    """Relevance (N, C, H, W) of the positions that are added to the value ``at``, evenly over each token's pixels.

    A class token has none: what its position has stays there.
    """

    def step(node: Node, arriving: Tensor) -> Signals:
        operation, record = node.operation, records[node.name]
        if isinstance(operation, Weighted):
            return (Flat().propagate(operation, record.inputs[0], record.output, arriving),)
        if operation.passes == "moved":
            return operation.gradient(record, arriving)
        alone = len(node.inputs) == 1 and record.inputs[0].shape == arriving.shape
        return (arriving,) if alone else operation.relevance(record, arriving, Flat())

    return send_back(graph, relevance, step, at=at)
