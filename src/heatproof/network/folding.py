"""Batch norms folded into the convolutions before them, where that is exact."""

from collections import Counter
from dataclasses import replace

from heatproof.network.graph import Graph, Node
from heatproof.network.operations.normalization import BatchNorm
from heatproof.network.operations.weighted import Convolution


def fold_batch_norms(graph: Graph) -> Graph:
    """The graph with every batch norm folded whose convolution nothing else reads.

    In evaluation a batch norm is ``scale · z + shift`` per channel, so convolution and batch norm are one convolution.
    A batch norm behind anything else (as in DenseNet, behind a concatenation) stays as it is.
    """
    readers = Counter(name for node in graph for name in node.inputs)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for original in graph:
        node = replace(original, inputs=tuple(renamed.get(name, name) for name in original.inputs))
        before = nodes.get(node.inputs[0])
        norm = node.operation
        convolution = before.operation if before is not None and readers[before.name] == 1 else None
        if before is not None and isinstance(norm, BatchNorm) and isinstance(convolution, Convolution):
            nodes[before.name] = replace(before, operation=convolution.scaled(norm.scale, norm.shift))
            renamed[node.name] = before.name
            readers[before.name] = readers[node.name]
        else:
            nodes[node.name] = node
    return graph.replace(tuple(nodes.values()), renamed.get(graph.output, graph.output))
