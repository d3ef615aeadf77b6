"""The logit of one class: what the last layer computes for all other classes is left out."""

from dataclasses import dataclass

from torch import Tensor

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Operation
from heatproof.network.operations.weighted import Weighted


@dataclass(frozen=True)
class Readout:
    """The last weighted layer of a network and what follows it, one channel for each class."""

    layer: Weighted  # a dense layer, or a convolution with 1 × 1 kernels
    after: tuple[Operation, ...]  # on each channel for itself

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.layer.weight)

    def logit(self, features: Tensor, targets: Tensor) -> Tensor:
        """(B,) the logit of one class each, from what the layer reads."""
        weight = self.layer.weight.flatten(start_dim=1)[targets]  # (B, C)
        columns = features.movedim(1, -1).flatten(start_dim=1, end_dim=-2) if features.ndim > 2 else features[:, None]
        value = columns @ weight[:, :, None]  # (B, positions, 1)
        if self.layer.bias is not None:
            value = value + self.layer.bias[targets][:, None, None]
        value = value.reshape(len(features), 1, *features.shape[2:])
        for operation in self.after:
            value = operation.evaluate(value)
        return value.reshape(-1)


def split_readout(graph: Graph) -> tuple[Graph, Readout] | None:
    """The graph up to its last weighted layer, and the rest; nothing where classes are mixed after it."""
    nodes = {node.name: node for node in graph}
    chain = [nodes[graph.output]]
    while _apart(graph, chain[-1]):
        (name,) = chain[-1].inputs
        if name == graph.input:
            return None
        chain.append(nodes[name])
    *after, last = chain
    layer = last.operation
    readable = isinstance(layer, Weighted) and last.batched and layer.reads_out(last.shape)
    if not isinstance(layer, Weighted) or not readable or graph.input in last.inputs:
        return None
    dropped = {node.name for node in chain}
    kept = tuple(node for node in graph if node.name not in dropped)
    read_elsewhere = any(name in dropped for node in kept for name in node.inputs)
    if read_elsewhere or last.shape[0] != len(layer.weight) or graph.shapes[graph.output] != (len(layer.weight),):
        return None
    return graph.with_nodes(kept, last.inputs[0]), Readout(layer, tuple(node.operation for node in reversed(after)))


def _apart(graph: Graph, node: Node) -> bool:
    """Whether each channel is computed from the same one of the input."""
    shapes = [graph.shapes[name] for name in node.inputs]
    return node.batched and len(shapes) == 1 and bool(shapes[0]) and node.operation.apart(*shapes)
