"""Sequences of changes to images: what the network computed is kept, and evaluated again where it may have changed."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.network.incremental.maps import Maps
from heatproof.network.incremental.plan import Kept, Plan, Read, Step
from heatproof.network.incremental.touched import Touched
from heatproof.network.operations.reach import Pair

Values = tuple[Tensor, ...]  # what crosses from the head of a plan to its tail


@dataclass(frozen=True)
class Windows:
    """Windows of maps: B maps by index, and a region for each."""

    index: Tensor
    regions: Tensor

    def read(self, maps: Maps, starts: Tensor, size: Pair) -> Tensor:
        """(B, C, h, w) what the maps hold in windows of ``size`` at ``starts`` (2, R), by region."""
        return maps.read(maps.rows(self.index, starts[:, self.regions], size[0]), size)

    def write(self, maps: Maps, touched: Touched, values: Tensor) -> None:
        """Puts windows (B, C, h, w) into the maps."""
        maps.write(maps.rows(self.index, touched.starts[:, self.regions], touched.size[0]), values)


class Changing:
    """S changing images, each with the values that the plan keeps of it.

    Args:
        plan: what is evaluated on windows.
        images: (n, C, H, W) normalised images, before any change.
        owners: (S,) which of the images each sequence begins with.
        batch_size: how many images go through the network at once.
    """

    def __init__(self, plan: Plan, images: Tensor, owners: Tensor, *, batch_size: int) -> None:
        self.plan = plan
        self.maps: dict[Kept, Maps] = {
            kept: Maps(len(owners), plan.shapes[kept[0]], border=border, fill=kept[1], like=images)
            for kept, border in plan.kept.items()
        }
        self.stores: dict[str, list[Maps]] = {}
        for (name, _), maps in self.maps.items():
            self.stores.setdefault(name, []).append(maps)
        parts = [
            self._begin(images[batch], [(owners == image).nonzero().flatten() for image in batch])
            for batch in torch.arange(len(images)).split(batch_size)
        ]
        self.untouched: Values = tuple(torch.cat(values) for values in zip(*parts, strict=True))

    def change(self, regions: Tensor, pixels: Tensor) -> Values:
        """Changes some windows of every image, evaluates the head of the plan where it may change.

        Args:
            regions: (S, T) which regions changed, on the CPU.
            pixels: (S · T, C, h, w) what the windows around these regions hold now, normalised.

        Returns:
            The values that cross to the tail: those that are kept, so the next change may change them.
        """
        for _ in self.visit(regions, pixels):
            pass
        return tuple(self.maps[self.plan.place(name)].values for name in self.plan.crossing)

    def visit(self, regions: Tensor, pixels: Tensor) -> Iterator[str]:
        """As ``change``, one node after the other; their names."""
        index = torch.arange(len(regions)).repeat_interleave(regions.shape[1])
        windows = Windows(index, regions.flatten())
        at_hand: dict[str, Tensor] = {}
        self._store(self.plan.graph.input, pixels, windows, at_hand)
        for step, finished in zip(self.plan.steps, self.plan.finished, strict=True):
            self._take(step, windows, at_hand)
            yield step.node.name
            for name in finished:
                del at_hand[name]

    def _take(self, step: Step, windows: Windows, at_hand: dict[str, Tensor]) -> None:
        """Evaluates one node on windows; ``at_hand`` are the windows that were evaluated before."""
        inputs = [
            at_hand[name] if read is None else self._read(read, windows)
            for name, read in zip(step.node.inputs, step.reads, strict=True)
        ]
        value = inputs[0].relu_() if step.in_place else step.node.operation.evaluate_window(step.reach, *inputs)
        if step.factor is not None:
            value = value * step.factor[windows.regions].to(value)
        self._store(step.node.name, value, windows, at_hand)

    def _read(self, read: Read, windows: Windows) -> Tensor:
        maps = self.maps[self.plan.place(read.name, read.fill)]
        return windows.read(maps, read.starts, read.size)

    def _store(self, name: str, value: Tensor, windows: Windows, at_hand: dict[str, Tensor]) -> None:
        at_hand[name] = value
        for maps in self.stores.get(name, ()):
            windows.write(maps, self.plan.touched[name], value)

    def _begin(self, images: Tensor, owned: Sequence[Tensor]) -> Values:
        """Evaluates images, keeps the values for the sequences of each, and returns what crosses to the tail."""
        crossing: dict[str, Tensor] = {}
        values = itertools.chain(
            [(self.plan.graph.input, images)], self.plan.begin.visit({self.plan.graph.input: images})
        )
        for name, value in values:
            for maps in self.stores.get(name, ()):
                for number, sequences in enumerate(owned):
                    maps.values[sequences] = value[number]
            if name in self.plan.crossing:
                crossing[name] = value
        return tuple(crossing[name] for name in self.plan.crossing)


class Tail:
    """The tail of a plan: what crosses to it is collected until a batch of the best size can go through.

    Args:
        plan: says what crosses, and what is computed from it.
        count: S, how many sequences there are.
        batch_size: of the best size; S at least are collected.
        like: gives the type and the device.
    """

    def __init__(self, plan: Plan, count: int, batch_size: int, like: Tensor) -> None:
        self.plan = plan
        self.batch_size = batch_size
        self.rounds = max(1, batch_size // count)  # how often values are put in before the tail is evaluated
        self.collected = [
            like.new_empty(self.rounds * count, *plan.shapes[name]).contiguous(memory_format=torch.channels_last)
            for name in plan.crossing
        ]
        self.filled = 0

    def put(self, values: Values) -> None:
        """Copies what crosses, for S sequences."""
        start, self.filled = self.filled, self.filled + len(values[0])
        for collected, value in zip(self.collected, values, strict=True):
            collected[start : self.filled].copy_(value)

    @property
    def full(self) -> bool:
        """Whether no more fits in."""
        return self.filled == len(self.collected[0])

    def finish(self) -> Tensor:
        """(B, …) the output of the plan's graph for all that was put in, in order; then it is empty again."""
        values = [collected[: self.filled].split(self.batch_size) for collected in self.collected]
        self.filled = 0
        return torch.cat([self._output(batch) for batch in zip(*values, strict=True)])

    def _output(self, crossing: Values) -> Tensor:
        values = dict(zip(self.plan.crossing, crossing, strict=True))
        wanted = self.plan.graph.output
        if wanted in values:
            return values[wanted]
        return next(value for name, value in self.plan.tail.visit(values) if name == wanted)
