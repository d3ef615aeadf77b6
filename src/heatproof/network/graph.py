"""A network as a list of operations, in the order in which they are evaluated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from heatproof.network.operations import Operation, Role, Size
from heatproof.network.operations.attention import Attention, MatMul
from heatproof.network.stacking import Stack, stack_of

LARGE = 3 * 2**17  # values of a map of one image, 1.5 MiB in float32; measured: on CPUs larger maps take least time …
FEW = 2  # … of so few images at once that they are still in the cache when they are read, and what follows them …
MANY = 16  # … of so many


@dataclass(frozen=True)
class Node:
    """One operation in its place."""

    name: str  # unique in the graph; other nodes refer to it
    operation: Operation
    inputs: tuple[str, ...]  # names of the values that it reads
    place: str  # where it stands in the model, for messages, such as ``features.3 (relu)``
    shape: tuple[int, ...]  # of its value for one image
    batched: bool = True  # whether its value has one entry for each image, along the first dimension
    batch: tuple[int, Size] | None = (0, Size(1))  # the dimension of its value that grows with the batch, and how
    constants: tuple[str, ...] = ()  # names of the parameters that it reads
    dtype: torch.dtype | None = None  # of its value, where that is known

    @property
    def role(self) -> Role | None:
        """Which rule of a composite it takes, by its value without the dimension along which images lie."""
        shape = list(self.shape)
        if not self.batched and self.batch is not None:
            del shape[self.batch[0]]
        return self.operation.role(tuple(shape))


@dataclass(frozen=True)
class Graph:
    """Operations in order, from the node named ``input`` (the normalised images) to the one named ``output``."""

    input: str
    nodes: tuple[Node, ...]
    output: str
    input_shape: tuple[int, ...]

    def evaluate(self, images: Tensor) -> Tensor:
        """Value of the output; (B, C, H, W) normalised images come in.

        On CPUs the first of two ``stages`` is evaluated for few images at once, the second for all.
        """
        values, nodes = {self.input: images}, self.whole
        if self.stages and images.device.type == "cpu" and len(images) > FEW:
            first, nodes = self.stages
            name = first.nodes[-1].name
            values = {name: torch.cat([first.value(name, {self.input: part}) for part in images.split(FEW)])}
        return nodes.value(self.output, values)

    def visit(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Names and values of all nodes, one after the other; only as long as something reads them are they kept."""
        return self.whole.visit({self.input: images})

    def evaluate_node(self, node: Node, *inputs: Tensor, recorded: bool = False) -> Tensor:
        """Value of one node, in the place of an input where nothing else reads that."""
        in_place = self.in_place_recorded if recorded else self.in_place
        if node.name in in_place:
            return node.operation.evaluate_in_place(in_place[node.name], *inputs)
        return node.operation.evaluate(*inputs)

    def needed(self, *names: str) -> list[Node]:
        """The nodes that these values are computed by, in order."""
        wanted = set(names)
        for node in reversed(self.nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
        return [node for node in self.nodes if node.name in wanted]

    def with_nodes(self, nodes: tuple[Node, ...], output: str) -> "Graph":
        """The graph with other nodes, without those that the output does not depend on."""
        changed = replace(self, nodes=nodes, output=output)
        return replace(changed, nodes=tuple(changed.needed(output)))

    @cached_property
    def followed(self) -> "Graph":
        """The same graph where relevance goes on through softmaxes: attention's weights are no gates then."""
        return replace(self, nodes=tuple(replace(node, operation=node.operation.followed()) for node in self))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every value for one image, by name."""
        return {self.input: self.input_shape} | {node.name: node.shape for node in self.nodes}

    @cached_property
    def stacks(self) -> dict[str, Stack | None]:
        """How the images of a batch lie in every value, by name; None where that is not known."""
        found: dict[str, Stack | None] = {self.input: Stack()}
        shapes = {node.name: (1, *node.shape) if node.batched else node.shape for node in self}
        shapes[self.input] = (1, *self.input_shape)
        for node in self:
            read = [(found[name], shapes[name]) for name in node.inputs]
            found[node.name] = stack_of(node.batch, node.operation, read)
        return found

    @cached_property
    def in_place(self) -> dict[str, int]:
        """Nodes that take the place of an input, and of which: a fresh one like theirs that nothing else reads."""
        readers = Counter([name for node in self.nodes for name in node.inputs] + [self.output])
        fresh = {
            node.name: (node.shape, node.batched, node.dtype)
            for node in self.nodes
            if node.operation.fresh and readers[node.name] == 1
        }
        found: dict[str, int] = {}
        for node in self.nodes:
            if node.operation.in_place:
                alike = [fresh.get(name) == (node.shape, node.batched, node.dtype) for name in node.inputs]
                found |= {node.name: alike.index(True)} if any(alike) else {}
        return found

    @cached_property
    def in_place_recorded(self) -> dict[str, int]:
        """ReLUs in place whose input no way back misses: no relevance arrives where the ReLU is at zero.

        That holds where whatever reads the ReLU gives relevance in proportion to what it read, directly or behind
        operations that move values, or that give none to a zero (a local response norm).
        """
        none_to_zeros = {self.output: False}
        for node in reversed(self.nodes):
            passes = node.operation.passes
            spared = none_to_zeros.get(node.name, True) if passes == "moved" else passes == "in proportion"
            for name in node.inputs:
                none_to_zeros[name] = none_to_zeros.get(name, True) and spared
        rectified = {node.name for node in self.nodes if node.operation.rectifies}
        return {name: place for name, place in self.in_place.items() if name in rectified and none_to_zeros[name]}

    @cached_property
    def kept_values(self) -> int:
        """Values that a recorded forward pass keeps for one image."""
        return prod(self.input_shape) + sum(prod(n.shape) for n in self.nodes if n.name not in self.in_place_recorded)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with weights for one image."""
        return self.whole.multiply_adds

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """Numbers of the nodes on whose value alone all that follows depends."""
        reads = {name: number for number, node in enumerate(self) for name in node.inputs}
        found, open_until = [], reads.get(self.input, 0)
        for number, node in enumerate(self):
            if open_until <= number:
                found.append(number)
            open_until = max(open_until, reads.get(node.name, 0))
        return tuple(found)

    @cached_property
    def stages(self) -> "tuple[Subgraph, Subgraph] | None":
        """The nodes up to the last large map, or to where one value alone holds what follows, and the others.

        None if no map is large, or all nodes would be in the first stage, or there is attention, whose products are
        slow for few images.
        """
        if any(isinstance(node.operation, Attention | MatMul) for node in self):
            return None
        large = [number for number, node in enumerate(self) if prod(node.shape) > LARGE]
        cuts = [number for number in self.cuts if large and number >= large[-1] and self.nodes[number].batched]
        if not cuts or cuts[0] + 1 == len(self):
            return None
        return Subgraph(self, self.nodes[: cuts[0] + 1]), Subgraph(self, self.nodes[cuts[0] + 1 :])

    @cached_property
    def whole(self) -> "Subgraph":
        """All nodes."""
        return Subgraph(self, self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True)
class Subgraph:
    """Nodes of a graph, evaluated one after the other."""

    graph: Graph
    nodes: tuple[Node, ...]

    def visit(self, values: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Names and values of the nodes, from ``values`` that are known; these may be overwritten.

        Values are dropped as soon as nothing reads them any more.
        """
        for node, finished in zip(self.nodes, self.finished, strict=True):
            value = self.graph.evaluate_node(node, *[values[name] for name in node.inputs])
            values[node.name] = value
            yield node.name, value
            for name in finished:
                del values[name]

    def value(self, wanted: str, values: dict[str, Tensor]) -> Tensor:
        """The value of one of the nodes, from ``values`` that are known; these may be overwritten."""
        return next(value for name, value in self.visit(values) if name == wanted)

    @cached_property
    def peak_values(self) -> int:
        """Values alive at once, at most, while one image is evaluated."""
        sizes = {name: prod(shape) for name, shape in self.graph.shapes.items()}
        computed = {node.name for node in self.nodes}
        alive = peak = sum(sizes[name] for name in {name for node in self.nodes for name in node.inputs} - computed)
        for node, finished in zip(self.nodes, self.finished, strict=True):
            alive += sizes[node.name]
            peak = max(peak, alive)
            alive -= sum(sizes[name] for name in finished)
        return peak

    @property
    def largest_value(self) -> int:
        """Values of the largest map of one image."""
        return max(prod(node.shape) for node in self.nodes)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with weights for one image."""
        return sum(node.operation.multiply_adds(node.shape) for node in self.nodes)

    @cached_property
    def finished(self) -> tuple[tuple[str, ...], ...]:
        """The values that no later node reads, for each node."""
        last: dict[str, int] = {}
        for index, node in enumerate(self.nodes):
            last |= dict.fromkeys((*node.inputs, node.name), index)
        return tuple(tuple(name for name in last if last[name] == index) for index in range(len(self.nodes)))
