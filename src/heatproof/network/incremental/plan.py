"""What is evaluated on windows, what in full, and what is kept in between."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from heatproof.network.graph import Graph, Node, Section
from heatproof.network.incremental.maps import Border
from heatproof.network.incremental.touched import Touched
from heatproof.network.incremental.widening import widened
from heatproof.network.operations.reach import Pair, Reach
from heatproof.network.readout import Readout

Kept = tuple[str, float]  # a value that is kept, and what the border around it holds


@dataclass(frozen=True)
class Read:
    """A window of a kept value: of this size, from these positions (2, R) on, which may lie in the border."""

    name: str
    fill: float
    starts: Tensor
    size: Pair
    border: Border


@dataclass(frozen=True)
class Step:
    """One node, evaluated on windows.

    Attributes:
        node: what is evaluated.
        reach: what its positions read.
        touched: where it is evaluated.
        reads: for each input a window of a kept value, or nothing where the window at hand will do.
        factor: (R, 1, h, w) what values are multiplied by in the window of each region, if anything.
        in_place: whether it is a ReLU that takes the place of its input.
    """

    node: Node
    reach: Reach
    touched: Touched
    reads: tuple[Read | None, ...]
    factor: Tensor | None
    in_place: bool

    @property
    def multiply_adds(self) -> int:
        """For one window."""
        return self.node.operation.multiply_adds((self.node.shape[0], *self.touched.size))


@dataclass(frozen=True)
class Plan:
    """How a graph is evaluated again after a change.

    Attributes:
        graph: the network.
        touched: for each value that can be evaluated on windows, where.
        head: names of the nodes that are evaluated on windows; all others are evaluated in full.
        readout: computes one logit from the graph's output, where the graph ends before the last layer.
    """

    graph: Graph
    touched: Mapping[str, Touched]
    head: frozenset[str]
    readout: Readout | None = None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The nodes of the head, in order."""
        return tuple(self._step(node) for node in self.graph if node.name in self.head)

    @cached_property
    def finished(self) -> tuple[tuple[str, ...], ...]:
        """For each step, the windows that no later step has at hand: their memory is free for the next, and warm."""
        last: dict[str, int] = {}
        for index, step in enumerate(self.steps):
            at_hand = [name for name, read in zip(step.node.inputs, step.reads, strict=True) if read is None]
            last |= dict.fromkeys((*at_hand, step.node.name), index)
        return tuple(tuple(name for name in last if last[name] == index) for index in range(len(self.steps)))

    @cached_property
    def begin(self) -> Section:
        """The nodes of the head, to be evaluated in full before the first change."""
        return self.graph.section(node for node in self.graph if node.name in self.head)

    @cached_property
    def tail(self) -> Section:
        """The nodes that are evaluated in full after every change."""
        return self.graph.section(node for node in self.graph if node.name not in self.head)

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

    def place(self, name: str, fill: float = 0.0) -> Kept:
        """Where a value is kept, with this border if there is one with it."""
        found = [kept for kept in self.kept if kept[0] == name]
        return (name, fill) if (name, fill) in found else found[0]

    @cached_property
    def kept_values(self) -> int:
        """Values kept for one sequence."""
        return sum(self.shapes[name][0] * prod(b.around(self._map_size(name))) for (name, _), b in self.kept.items())

    @cached_property
    def window_values(self) -> int:
        """Values of the largest window, with what it is computed from."""
        sizes = [
            step.node.shape[0] * step.touched.area
            + sum(self.shapes[read.name][0] * prod(read.size) for read in step.reads if read is not None)
            for step in self.steps
        ]
        return max(sizes, default=0)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every value, for one image."""
        return self.graph.shapes

    def cut(self, head: Iterable[str]) -> "Plan":
        """The same plan with another head."""
        return Plan(self.graph, self.touched, frozenset(head), self.readout)

    def multiply_adds(self, windows: int = 1) -> int:
        """Multiplications with weights that a step needs, with so many windows at once."""
        head = windows * sum(step.multiply_adds for step in self.steps)
        return head + self.tail.multiply_adds + (prod(self.shapes[self.graph.output]) if self.readout else 0)

    def _map_size(self, name: str) -> Pair:
        _, height, width = self.shapes[name]
        return (height, width)

    def _step(self, node: Node) -> Step:
        inputs = [self.shapes[name] for name in node.inputs]
        reach = node.operation.reach(*inputs)
        assert reach is not None, node
        touched = self.touched[node.name]
        factor = node.operation.window_factor(*inputs)
        reads = tuple(self._read(name, reach, touched) for name in node.inputs)
        windows = None if factor is None else touched.windows(factor)[:, None]
        return Step(node, reach, touched, reads, windows, node.name in self.graph.in_place)

    def _read(self, name: str, reach: Reach, touched: Touched) -> Read | None:
        source = self.touched[name]
        if reach.pointwise and source.shape == touched.shape and source.same_windows(touched):
            return None
        stride, padding = (torch.tensor(pair)[:, None] for pair in (reach.stride, reach.padding))
        starts = touched.starts * stride - padding
        height, width = (reach.span(axis, touched.size[axis]) for axis in (0, 1))
        return Read(name, reach.fill, starts, (height, width), _border(starts, (height, width), source.shape))


def _border(starts: Tensor, size: Pair, shape: Pair) -> Border:
    before = (-starts.amin(dim=1)).clamp(min=0).tolist()
    after = (starts.amax(dim=1) + torch.tensor(size) - torch.tensor(shape)).clamp(min=0).tolist()
    return Border((before[0], before[1]), (after[0], after[1]))


def whole_plan(graph: Graph, image: Touched, readout: Readout | None = None) -> Plan:
    """The plan that evaluates on windows whatever can be, when these rectangles of the image change."""
    touched = {graph.input: image}
    for node in graph:
        found = _touched(graph, node, touched)
        if found is not None:
            touched[node.name] = found
    return Plan(graph, widened(graph, touched), frozenset(touched) - {graph.input}, readout)


def _touched(graph: Graph, node: Node, touched: Mapping[str, Touched]) -> Touched | None:
    sources = [touched.get(name) for name in node.inputs]
    known = [source for source in sources if source is not None]
    if len(known) < len(sources) or len(node.shape) != 3 or not node.batched:
        return None
    reach = node.operation.reach(*[graph.shapes[name] for name in node.inputs])
    if reach is None:
        return None
    _, height, width = node.shape
    parts = [source.through(reach, (height, width)) for source in known]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.joined(part)
    return joined
