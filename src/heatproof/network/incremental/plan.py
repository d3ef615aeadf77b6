"""What is evaluated on windows, what in full, and what is kept in between."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import prod

import torch
from torch import Tensor

from heatproof.network.graph import Graph, Node, Subgraph
from heatproof.network.incremental.dirty_regions import DirtyRegions
from heatproof.network.incremental.feature_cache import Border
from heatproof.network.operations.operation import Pair, Reach, pair
from heatproof.network.readout import Readout

Kept = tuple[str, float]  # a value that is kept, and what the border around it holds
MOVING = 32  # multiply-adds that take as long as moving one value to memory or back


@dataclass(frozen=True)
class WindowRead:
    """A window of a kept value: of this size, from these positions (2, R) on, which may lie in the border."""

    name: str
    fill: float
    starts: Tensor
    size: Pair
    border: Border


@dataclass(frozen=True)
class WindowStep:
    """One node, evaluated on windows."""

    node: Node
    reach: Reach
    dirty: DirtyRegions
    reads: tuple[WindowRead | None, ...]  # for each input; nothing where the window that was just evaluated will do
    factor: Tensor | None  # (R, 1, h, w) what values are multiplied by in the window of each region, if anything
    in_place: bool  # whether it takes the place of its only input

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one window."""
        return _work_on(self.node, self.dirty)


@dataclass(frozen=True)
class Plan:
    """How a graph is evaluated again after a change."""

    graph: Graph
    dirty: Mapping[str, DirtyRegions]  # for each value that can be evaluated on windows, where
    head: frozenset[str]  # names of the nodes that are evaluated on windows; all others are evaluated in full
    readout: Readout | None = None  # computes one logit from the output, where the graph ends before the last layer
    windows: int = 1  # how many rectangles of an image change at once

    @cached_property
    def steps(self) -> tuple[WindowStep, ...]:
        """The nodes of the head, in order."""
        return tuple(self._step(node) for node in self.begin.nodes)

    @cached_property
    def finished(self) -> tuple[tuple[str, ...], ...]:
        """The windows that no later step reads, for each step: their memory is free for the next, and warm."""
        last: dict[str, int] = {}
        for index, step in enumerate(self.steps):
            fresh = [name for name, read in zip(step.node.inputs, step.reads, strict=True) if read is None]
            last |= dict.fromkeys((*fresh, step.node.name), index)
        return tuple(tuple(name for name in last if last[name] == index) for index in range(len(self.steps)))

    @cached_property
    def begin(self) -> Subgraph:
        """The nodes of the head, to be evaluated in full before the first change."""
        return Subgraph(self.graph, tuple(node for node in self.graph if node.name in self.head))

    @cached_property
    def tail(self) -> Subgraph:
        """The nodes that are evaluated in full after every change."""
        return Subgraph(self.graph, tuple(node for node in self.graph if node.name not in self.head))

    @cached_property
    def crossing(self) -> tuple[str, ...]:
        """Values of the head that the tail reads, or that are the output."""
        computed = {node.name for node in self.tail.nodes}
        read = [*[name for node in self.tail.nodes for name in node.inputs], self.graph.output]
        return tuple(dict.fromkeys(name for name in read if name not in computed))

    @cached_property
    def kept(self) -> Mapping[Kept, Border]:
        """The values that are kept whole, each with the border that its readers need."""
        borders: dict[Kept, Border] = {}
        reads = [read for step in self.steps for read in step.reads if read is not None]
        for read in reads:
            if read.border != Border():
                borders[read.name, read.fill] = read.border.joined(borders.get((read.name, read.fill), Border()))
        bordered = {name for name, _ in borders}
        for name in (self.graph.input, *self.crossing, *[read.name for read in reads]):
            if name not in bordered:
                borders[name, 0.0] = Border()
        return borders

    @cached_property
    def kept_names(self) -> frozenset[str]:
        """Names of the values that are kept."""
        return frozenset(name for name, _ in self.kept)

    def place(self, name: str, fill: float = 0.0) -> Kept:
        """Where a value is kept, with this border if there is one with it."""
        found = [kept for kept in self.kept if kept[0] == name]
        return (name, fill) if (name, fill) in found else found[0]

    @cached_property
    def kept_values(self) -> int:
        """Values kept for one trajectory."""
        return sum(self.shapes[name][0] * prod(b.around(self.shapes[name])) for (name, _), b in self.kept.items())

    @cached_property
    def window_values(self) -> int:
        """Values of the largest windows of a node, with what they are computed from, of all that change at once."""
        sizes = [
            step.node.shape[0] * step.dirty.area
            + sum(self.shapes[read.name][0] * prod(read.size) for read in step.reads if read is not None)
            for step in self.steps
        ]
        return self.windows * max(sizes, default=0)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every value, for one image."""
        return self.graph.shapes

    def cut(self, head: Iterable[str]) -> "Plan":
        """The plan with another head."""
        return replace(self, head=frozenset(head))

    @property
    def multiply_adds(self) -> int:
        """Multiplications with weights that a step needs."""
        head = self.windows * sum(step.multiply_adds for step in self.steps)
        return head + self.tail.multiply_adds + (prod(self.shapes[self.graph.output]) if self.readout else 0)

    def _step(self, node: Node) -> WindowStep:
        reach, dirty = _reach(self.graph, node), self.dirty[node.name]
        assert reach is not None, node
        factor = node.operation.window_factor(*[self.shapes[name] for name in node.inputs])
        reads = tuple(self._read(name, reach, dirty) for name in node.inputs)
        windows = None if factor is None else dirty.windows(factor)[:, None]
        return WindowStep(node, reach, dirty, reads, windows, len(reads) == 1 and node.name in self.graph.in_place)

    def _read(self, name: str, reach: Reach, dirty: DirtyRegions) -> WindowRead | None:
        source = self.dirty[name]
        same = (source.shape, source.size) == (dirty.shape, dirty.size) and torch.equal(source.starts, dirty.starts)
        if reach.pointwise and same:
            return None
        size, stride, padding, lengths = map(torch.tensor, (reach.size, reach.stride, reach.padding, dirty.size))
        starts = dirty.starts * stride[:, None] - padding[:, None]
        spans = (lengths - 1) * stride + size  # positions that neighbouring outputs read together
        before = (-starts.amin(dim=1)).clamp(min=0).tolist()
        after = (starts.amax(dim=1) + spans - torch.tensor(source.shape)).clamp(min=0).tolist()
        return WindowRead(name, reach.fill, starts, pair(spans.tolist()), Border(pair(before), pair(after)))


def whole_plan(graph: Graph, image: DirtyRegions, readout: Readout | None = None, windows: int = 1) -> Plan:
    """The plan that evaluates on windows whatever can be, when so many of these rectangles of the image change."""
    dirty = {graph.input: image}
    for node in graph:
        is_map = node.batched and len(node.shape) == 3 and all(name in dirty for name in node.inputs)
        reach = _reach(graph, node) if is_map else None
        if reach is not None:
            shape = pair(node.shape[1:])
            dirty[node.name] = reduce(DirtyRegions.joined, [dirty[name].through(reach, shape) for name in node.inputs])
    return Plan(graph, widened(graph, dirty), frozenset(dirty) - {graph.input}, readout, windows)


def widened(graph: Graph, dirty: Mapping[str, DirtyRegions]) -> dict[str, DirtyRegions]:
    """The windows, wider where evaluating a little more costs less than keeping values to be read again.

    Where values meet (in a sum, side by side), the branches' windows may differ in size; the narrower ones would be
    kept, to be read again as far as the widest reaches. The last operations of a narrow branch are evaluated as far
    instead, if what they read is kept anyway for a window of another reader.
    """
    found = dict(dirty)
    readers: dict[str, list[Node]] = {name: [] for name in graph.shapes}
    for node in graph:
        for name in set(node.inputs):
            readers[name].append(node)
    for node in reversed(graph.nodes):
        if node.name in found and len(node.inputs) > 1 and _pointwise(graph, node):
            for name in set(node.inputs):
                branch = list(_branch(graph, readers, name)) if found[name].shape == found[node.name].shape else []
                if branch and _pays(graph, branch, found[name], found[node.name]):
                    found |= {member.name: found[node.name] for member in branch}
    return found


def _branch(graph: Graph, readers: Mapping[str, list[Node]], name: str) -> Iterator[Node]:
    """The operations, last first, from a value back to one that is kept anyway; none if there is no such value."""
    branch = []
    nodes = {node.name: node for node in graph}
    while name in nodes and name != graph.output and len(readers[name]) == 1 and len(nodes[name].inputs) == 1:
        branch.append(nodes[name])
        (name,) = nodes[name].inputs
        if any(not _pointwise(graph, reader) for reader in readers[name] if reader is not branch[-1]):
            yield from branch
            return
        if not _pointwise(graph, branch[-1]):
            return


def _pays(graph: Graph, branch: list[Node], narrow: DirtyRegions, wide: DirtyRegions) -> bool:
    """Whether more multiply-adds take less time than writing the narrow window and reading the wide one."""
    more = sum(_work_on(node, wide) - _work_on(node, narrow) for node in branch)
    (source,) = branch[-1].inputs
    saved = branch[0].shape[0] * (narrow.area + wide.area) - graph.shapes[source][0] * (wide.area - narrow.area)
    return narrow.size != wide.size and more < MOVING * saved


def _work_on(node: Node, dirty: DirtyRegions) -> int:
    """Multiply-adds of a node on one window."""
    return node.operation.multiply_adds((node.shape[0], *dirty.size))


def _reach(graph: Graph, node: Node) -> Reach | None:
    return node.operation.reach(*[graph.shapes[name] for name in node.inputs])


def _pointwise(graph: Graph, node: Node) -> bool:
    reach = _reach(graph, node)
    return reach is not None and reach.pointwise
