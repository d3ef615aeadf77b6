"""Where attention stands in a graph: which matrices of a product have its weights, which layers are its projections."""

from dataclasses import replace

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Operation
from heatproof.network.operations.activation import Activation
from heatproof.network.operations.arithmetic import Add, ByConstant, Concatenate, Gated, Product, Ratio
from heatproof.network.operations.attention import Attention, MatMul, Softmax
from heatproof.network.operations.normalization import BatchNorm, SampleNorm
from heatproof.network.operations.pooling import Largest, MaxPool, Sum
from heatproof.network.operations.rearrangement import Insertion, Rearrangement
from heatproof.network.operations.weighted import Weighted

_KEEPING = (Rearrangement, Insertion, ByConstant, Add, Product, Ratio, Sum, Concatenate, Weighted, BatchNorm)
_MOVING = (
    Rearrangement, Insertion, ByConstant, Add, Concatenate, Gated, Activation, BatchNorm, SampleNorm, Largest, MaxPool
)  # fmt: skip


def with_gates(graph: Graph) -> Graph:
    """The graph with every product of a matrix by weights of attention as one by a gate.

    Weights come from a softmax through operations that move, drop, scale, mask, sum or mix them, with nothing else.
    """
    weights: set[str] = set()
    nodes = []
    for node in graph:
        operation = node.operation
        if isinstance(operation, Softmax):
            weights.update([node.name] if operation.gate else [])
        elif isinstance(operation, MatMul):
            others = [number for number in operation.factors if node.inputs[number] not in weights]
            if not others:
                weights.add(node.name)
            elif len(others) < len(operation.factors):
                node = replace(node, operation=MatMul(operation.call, others[0]))
        elif _keeps(operation) and all(name in weights for name in node.inputs):
            weights.add(node.name)
        nodes.append(node)
    return graph.with_nodes(tuple(nodes), graph.output)


def projections(graph: Graph) -> frozenset[str]:
    """Names of the weighted sums that make queries, keys and values, or that mix what attention found; no head is one.

    Between them and the attention nothing stands but views, choices, scales, norms, activations, and sums of one
    value's parts (rotary positions): a residual sum has two origins, and ends the search.
    """
    nodes = {node.name: node for node in graph}
    origins: dict[str, str] = {}  # of each value, the one that it was moved from
    found: set[str] = set()
    for node in graph:
        carries = node.operation.carries("relevance", len(node.inputs))
        moved = isinstance(node.operation, Gated)
        read = {origins.get(n, n) for n, carried in zip(node.inputs, carries, strict=True) if carried or not moved}
        if isinstance(node.operation, Attention | MatMul):
            found.update(read)
        elif isinstance(node.operation, _MOVING) and len(read) == 1:
            origins[node.name] = read.pop()
        elif isinstance(node.operation, Weighted) and all(_attends(nodes.get(name)) for name in read):
            found.add(node.name)
    found.discard(origins.get(graph.output, graph.output))
    return frozenset(name for name in found if name in nodes and isinstance(nodes[name].operation, Weighted))


def _keeps(operation: Operation) -> bool:
    masks = isinstance(operation, Activation) and hasattr(operation, "call") and operation.call.name.startswith("where")
    return masks or isinstance(operation, _KEEPING)


def _attends(node: Node | None) -> bool:
    return node is not None and isinstance(node.operation, Attention | MatMul)
