"""Batch norms and added constants folded into the weighted sums before them, where that is exact."""

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Operation
from heatproof.network.operations.arithmetic import Shifted
from heatproof.network.operations.normalization import BatchNorm
from heatproof.network.operations.weighted import Convolution, Weighted


def fold(graph: Graph) -> Graph:
    """The graph with every batch norm, and every bias that is added, folded whose weighted sum nothing else reads.

    In evaluation a batch norm is ``scale · z + shift`` per channel, so convolution and batch norm are one convolution.
    A batch norm behind anything else (as in DenseNet, behind a concatenation) stays as it is.
    """
    readers = Counter(name for node in graph for name in node.inputs)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for original in graph:
        node = replace(original, inputs=tuple(renamed.get(name, name) for name in original.inputs))
        before = nodes.get(node.inputs[0]) if len(node.inputs) == 1 else None
        folded = _folded(before, node) if before is not None and readers[before.name] == 1 else None
        if before is not None and folded is not None:
            nodes[before.name] = replace(before, operation=folded)
            renamed[node.name] = before.name
            readers[before.name] = readers[node.name]
        else:
            nodes[node.name] = node
    return graph.with_nodes(tuple(nodes.values()), renamed.get(graph.output, graph.output))


def _folded(before: Node, node: Node) -> Operation | None:
    """Both operations as one, if that can be."""
    weighted, after = before.operation, node.operation
    if isinstance(weighted, Convolution) and isinstance(after, BatchNorm):
        return weighted.scaled(after.scale, after.shift)
    if isinstance(weighted, Weighted) and isinstance(after, Shifted) and node.shape == before.shape:
        shift = _per_channel(weighted, after, node.shape)
        return None if shift is None else weighted.shifted(shift)
    return None


def _per_channel(weighted: Weighted, after: Shifted, shape: tuple[int, ...]) -> Tensor | None:
    """What is added to each channel, if that is a tensor with one value for each."""
    if not any(constant.numel() > 1 for constant in after.constants):
        return None
    zeros = weighted.weight.new_zeros(1, *shape)
    added = after.evaluate(zeros)[0]
    shift = added.movedim(weighted.channels_at, 0).flatten(start_dim=1)[:, 0] if added.ndim > 1 else added
    same = torch.equal(weighted.over_channels(shift).expand(shape), added)
    return shift if same and torch.equal(after.evaluate(zeros + 1)[0], added + 1) else None  # not c - z
