"""Relevance on its way from the score to the pixels: how much arrives at each operation, and how much leaves it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Signals


@dataclass(frozen=True)
class Flow:
    """Relevance at one operation, for each image (N,): what arrived at its output and what left to its inputs."""

    place: str
    arrived: Tensor
    left: Tensor


@dataclass(frozen=True)
class Relevance:
    """Relevance of the pixels (N, C, H, W), and how it got there, from the score backwards."""

    pixels: Tensor
    flow: tuple[Flow, ...]

    @property
    def heatmaps(self) -> Tensor:
        """(N, H, W) relevance summed over channels, with its sign."""
        return self.pixels.sum(dim=1)


class Account:
    """Adds up what arrives and leaves, one operation after the other.

    Where views of the images are stacked along the batch, no total belongs to one image: all operations in there count
    as one, by what arrives where they are joined and what leaves where they were stacked.

    Args:
        graph: the network.
        scores: (N,) relevance at its output.
    """

    def __init__(self, graph: Graph, scores: Tensor) -> None:
        self._batched = {graph.input: True} | {node.name: node.batched for node in graph}
        self._nothing = torch.zeros_like(scores)
        self._totals = {graph.output: scores}  # relevance of each value, summed as it arrives
        self._found: list[Flow] = []
        self._stacked: int | None = None  # where the operations on stacked views stand

    @property
    def flow(self) -> tuple[Flow, ...]:
        """The operations, from the score backwards."""
        return tuple(self._found)

    def enter(self, node: Node, arriving: Tensor, leaving: Signals) -> None:
        """One operation."""
        arrived = self._totals.pop(node.name) if node.batched else None
        parts = [
            None if part is None or not self._batched[name] else arrived if part is arriving else _total(part)
            for name, part in zip(node.inputs, leaving, strict=True)
        ]
        for name, part in zip(node.inputs, parts, strict=True):
            if part is not None:
                self._totals[name] = self._totals[name] + part if name in self._totals else part
        known = [part for part in parts if part is not None]
        left = torch.stack(known).sum(dim=0) if known else None
        if arrived is not None and all(self._batched[name] for name in node.inputs):
            self._found.append(Flow(node.place, arrived, self._nothing if left is None else left))
        else:
            self._add_stacked(node.place, arrived, left)

    def _add_stacked(self, place: str, arrived: Tensor | None, left: Tensor | None) -> None:
        if self._stacked is None:
            self._stacked = len(self._found)
            self._found.append(Flow(place, self._nothing, self._nothing))
        before = self._found[self._stacked]
        self._found[self._stacked] = Flow(
            before.place,
            before.arrived if arrived is None else before.arrived + arrived,
            before.left if left is None else before.left + left,
        )


def _total(values: Tensor) -> Tensor:
    return values.flatten(start_dim=1).sum(dim=1)
