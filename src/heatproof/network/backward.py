"""The ways back through a graph, and an account of the relevance that takes them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.exact import exactly
from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Signals, Way


@exactly
def send_back(
    graph: Graph, signal: Tensor, step: Callable[[Node, Tensor], Signals], *, at: str | None = None
) -> Tensor:
    """Sends a signal from the output, or the value ``at``, to the images; ``step`` says what a node passes on.

    Where a value is read several times, the signals that come back to it add up.
    """
    signals = {at or graph.output: signal}
    for node in reversed(graph.nodes):
        arriving = signals.pop(node.name, None)
        if arriving is None:
            continue
        for name, part in zip(node.inputs, step(node, arriving), strict=True):
            if part is not None:
                signals[name] = signals[name] + part if name in signals else part
    if graph.input not in signals:
        raise InputError("no signal reaches the image: the score does not depend on it")
    return signals[graph.input]


def check_way(graph: Graph, way: Way, method: str) -> None:
    """Refuses a way back that an operation on it has no rule for, before anything is computed."""
    refusing = [node for node in way_back(graph, way) if way in node.operation.refuses]
    if refusing:
        first = refusing[0]
        others = f" (and at {len(refusing) - 1} more places)" if len(refusing) > 1 else ""
        raise InputError(
            f"{method} cannot go through {first.place}{others}: {first.operation.refuses[way]}; "
            "choose another method for this network, such as gradient-x-input"
        )


def way_back(graph: Graph, way: Way) -> list[Node]:
    """The nodes that a way back from the output passes, in order; gates may lie off it."""
    reached, passed = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.name in reached:
            passed.append(node)
            carries = node.operation.carries(way, len(node.inputs))
            reached.update(name for name, carried in zip(node.inputs, carries, strict=True) if carried)
    return passed[::-1]


def first_layers(graph: Graph) -> frozenset[str]:
    """Names of the weighted sums that read the image through no other weighted sum, and of what lies before them.

    Gates are left out, as they get no relevance.
    """
    seen, first = {graph.input}, set()
    for node in graph:
        carries = node.operation.carries("relevance", len(node.inputs))
        if any(name in seen for name, carried in zip(node.inputs, carries, strict=True) if carried):
            first.add(node.name)
            if node.role is None:
                seen.add(node.name)
    return frozenset(first)


def interval(graph: Graph, low: Tensor, high: Tensor, upto: str) -> tuple[Tensor, Tensor]:
    """The least and the largest value of a node for images between ``low`` and ``high`` (1, C, H, W)."""
    found = {graph.input: (low, high)}
    for node in graph.needed(upto):
        least, largest = zip(*(found[name] for name in node.inputs), strict=True)
        try:
            found[node.name] = node.operation.interval(least, largest)
        except InputError as error:
            raise InputError(f"the box rule cannot pass {node.place} before the first layer: {error}") from error
    return found[upto]


NAMED = ("positions", "added constants", "class token")  # what keeps relevance and is a parameter of its own


@dataclass(frozen=True)
class Flow:
    """Relevance at one operation, for each image (N,): what arrived at its output and what left to its inputs.

    ``keeps`` says what keeps the difference, such as biases; nothing where all goes on.
    """

    place: str
    arrived: Tensor
    left: Tensor
    keeps: str = ""


@dataclass(frozen=True)
class Relevance:
    """Relevance of the pixels (N, C, H, W), and how it got there, from the score backwards."""

    pixels: Tensor
    flow: tuple[Flow, ...]

    @property
    def heatmaps(self) -> Tensor:
        """(N, H, W) relevance summed over channels, with its sign."""
        return self.pixels.sum(dim=1)


class RelevanceAccount:
    """Adds up what arrives and leaves, one operation after the other; ``flow`` has them, from the score backwards.

    Where it is not known which image a value belongs to, all such operations count as one, by what arrives where they
    end and what leaves where they begin.

    Args:
        graph: the network.
        scores: (N,) relevance at its output.
    """

    def __init__(self, graph: Graph, scores: Tensor) -> None:
        self.flow: list[Flow] = []
        self._batched = {graph.input: True} | {node.name: node.batched for node in graph}
        self._stacks = graph.stacks
        self._nothing = torch.zeros_like(scores)
        self._totals = {graph.output: scores}  # relevance of each value, summed as it arrives
        self._unknown: int | None = None  # where the operations stand of whose values nothing is known

    def enter(self, node: Node, arriving: Tensor, leaving: Signals) -> None:
        """One operation."""
        arrived = self._totals.pop(node.name, None)
        known = []
        for name, part in zip(node.inputs, leaving, strict=True):
            if part is not None and self._stacks[name] is not None:
                total = self._total(name, part) if arrived is None or part is not arriving else arrived
                self._totals[name] = self._totals[name] + total if name in self._totals else total
                known.append(total)
        left = torch.stack(known).sum(dim=0) if known else None
        if arrived is not None and all(self._stacks[name] is not None for name in node.inputs):
            self.flow.append(Flow(_said(node), arrived, self._nothing if left is None else left, node.operation.keeps))
        else:
            self._add_unknown(node.place, arrived, left)

    def return_from(self, place: int, part: Tensor) -> None:
        """Relevance (N, C, H, W) of the images that an operation's constants kept, and that gets there after all."""
        flow = self.flow[place]
        self.flow[place] = replace(flow, left=flow.left + part.flatten(start_dim=1).sum(dim=1))

    def _total(self, name: str, part: Tensor) -> Tensor:
        stack = self._stacks[name]
        if self._batched[name] or stack is None:
            return part.flatten(start_dim=1).sum(dim=1)
        return stack.totals(part)

    def _add_unknown(self, place: str, arrived: Tensor | None, left: Tensor | None) -> None:
        if self._unknown is None:
            self._unknown = len(self.flow)
            self.flow.append(Flow(place, self._nothing, self._nothing))
        before = self.flow[self._unknown]
        self.flow[self._unknown] = Flow(
            before.place,
            before.arrived if arrived is None else before.arrived + arrived,
            before.left if left is None else before.left + left,
        )


def _said(node: Node) -> str:
    """A node's place; that of what is added or put beside a map is the name of the parameter."""
    kept = node.operation.keeps
    return f"{' and '.join(node.constants)} ({kept})" if kept in NAMED and node.constants else node.place
