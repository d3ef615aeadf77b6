"""A graph in its simplest form: batch norms and added constants folded, activations of several operations merged.

Batch norms and biases are folded into the weighted sums before them, where that is exact. Several elementwise
operations on one value, such as ``x * sigmoid(x)``, become the one activation that they are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Operation, Variable
from heatproof.network.operations.activation import Activation, Composed, ReLU, recognised
from heatproof.network.operations.arithmetic import Choice, Gated, Product, Ratio, Shifted
from heatproof.network.operations.normalization import BatchNorm
from heatproof.network.operations.rearrangement import Expand
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
    if before.dtype != node.dtype:
        return None
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


def merge(graph: Graph) -> Graph:
    """The graph with every activation that is written as several operations as one, and gates as what they are."""
    graph = _gates(graph)
    merger = _Merger(graph)
    return graph.with_nodes(tuple(merger.node(node) for node in graph), graph.output)


class _Merger:
    """Follows from which value others are computed place by place.

    ``source`` holds, for each node, the nearest value that alone determines it; nothing where there is none.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes = {node.name: node for node in graph}
        self.shapes = graph.shapes
        self.source: dict[str, str] = {}

    def node(self, node: Node) -> Node:
        """The node, or one activation in its place."""
        source = self._common(node) if self._elementwise(node) else None
        if source is None:
            return node
        self.source[node.name] = source
        return self._whole(node, source) or node

    def _elementwise(self, node: Node) -> bool:
        return node.operation.elementwise and all(self.shapes[name] == node.shape for name in node.inputs)

    def _chain(self, name: str) -> Iterable[str]:
        """The values that determine one, the nearest first; itself before them."""
        yield name
        while name in self.source:
            name = self.source[name]
            yield name

    def _common(self, node: Node) -> str | None:
        first, *others = (list(self._chain(name)) for name in node.inputs)
        return next((name for name in first if all(name in other for other in others)), None)

    def _whole(self, node: Node, source: str) -> Node | None:
        """One activation for all that lies between the source and the node, where its parts alone have no rule."""
        if len(node.inputs) == 1:
            start = self._start(node)
            if start is None:
                return None
            source = start
        elif not isinstance(node.operation, Product | Ratio | Choice):
            return None
        composed = Composed(self._steps(node, source), self.shapes[source])
        operation = recognised(composed, Variable(source, self.shapes[source]))
        return replace(node, operation=operation, inputs=(source,))

    def _start(self, node: Node) -> str | None:
        """Where a run of operations on one value begins that, as a whole, is another function than its parts.

        That is so where a function without f(0) = 0 stands in it, or where the same number is added everywhere, as a
        formula does and no bias of channels. A ReLU, or a product by a constant, at its beginning stays by itself.
        """
        run = [node]
        while (before := self.nodes.get(run[-1].inputs[0])) and len(before.inputs) == 1 and self._elementwise(before):
            run.append(before)
        operations = [part.operation for part in run]
        while len(operations) > 1 and (
            isinstance(operations[-1], ReLU) or not isinstance(operations[-1], Activation | Shifted)
        ):
            operations.pop()
        functions = [operation for operation in operations if isinstance(operation, Activation)]
        curved = any(not isinstance(function, ReLU) for function in functions)
        shifts = [operation for operation in operations if isinstance(operation, Shifted)]
        shifted = any(all(constant.numel() == 1 for constant in shift.constants) for shift in shifts)
        moved = (shifted and curved) or any(function.zero is not None for function in functions)
        return run[len(operations) - 1].inputs[0] if len(operations) > 1 and moved else None

    def _steps(self, node: Node, source: str) -> list[tuple[Operation, tuple[int, ...]]]:
        """The operations from the source to the node, each with the numbers of the values that it reads."""
        between: set[str] = set()
        waiting = [node.name]
        while waiting:
            name = waiting.pop()
            if name != source and name not in between:
                between.add(name)
                waiting.extend(self.nodes[name].inputs)
        numbers, steps = {source: 0}, []
        for name, member in self.nodes.items():
            if name in between:
                steps.append((member.operation, tuple(numbers[read] for read in member.inputs)))
                numbers[name] = len(steps)
        return steps


def _gates(graph: Graph) -> Graph:
    """Gates that were expanded to the size of their map are read as they were before; gates of equal size are found."""
    nodes = {node.name: node for node in graph}
    found = []
    for node in graph:
        if isinstance(node.operation, Product | Ratio) and len(node.inputs) == 2:
            inputs = list(node.inputs)
            for number in (0, 1):  # one after the other: one of them stays whole
                inputs[number] = _unexpanded(node, inputs[number], inputs[1 - number], nodes, graph)
            node = replace(node, operation=_product(node, inputs, nodes, graph), inputs=tuple(inputs))
        found.append(node)
    return graph.with_nodes(tuple(found), graph.output)


def _unexpanded(node: Node, name: str, other: str, nodes: dict[str, Node], graph: Graph) -> str:
    """What a value was expanded from, where the node's other input is a whole map; else the value."""
    before = nodes.get(name)
    if before is None or not isinstance(before.operation, Expand) or len(before.inputs) != 1:
        return name
    (source,) = before.inputs
    if before.batched != (nodes[source].batched if source in nodes else True):
        return name
    return source if graph.shapes[other] == node.shape and len(graph.shapes[source]) == len(node.shape) else name


def _product(node: Node, inputs: Sequence[str], nodes: dict[str, Node], graph: Graph) -> Operation:
    """The product as it is read with these inputs: by a gate, if one of them is."""
    operation = node.operation
    assert isinstance(operation, Product | Ratio)
    if tuple(inputs) != node.inputs:
        names = iter(inputs)
        arguments = {
            key: replace(value, name=(name := next(names)), shape=graph.shapes[name])
            if isinstance(value, Variable)
            else value
            for key, value in operation.call.arguments.items()
        }
        operation = Product.read(replace(operation.call, arguments=arguments))
    if type(operation) is Product:
        gates = [name in nodes and nodes[name].operation.gate for name in inputs]
        if sum(gates) == 1:
            return Gated(operation.call, gates.index(False))
    return operation
