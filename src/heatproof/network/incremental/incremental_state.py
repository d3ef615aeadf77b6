"""Images that change step by step: features are kept, and evaluated again where they may have changed."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from heatproof.network.incremental.feature_cache import FeatureCache
from heatproof.network.incremental.plan import Kept, Plan, WindowStep

Values = tuple[Tensor, ...]  # what crosses from the head of a plan to its tail


class IncrementalState:
    """S changing images, each with the features that the plan keeps of it.

    Args:
        plan: what is evaluated on windows.
        images: (n, C, H, W) normalised images, before any change.
        owners: (S,) which of the images each trajectory begins with.
        batch_size: how many images go through the network at once.
    """

    def __init__(self, plan: Plan, images: Tensor, owners: Tensor, *, batch_size: int) -> None:
        self.plan, self.device = plan, images.device
        self.starts: dict[
            object, Tensor
        ] = {  # of windows that are written, by name, and of those that are read, by name and input
            **{name: dirty.starts.to(self.device) for name, dirty in plan.dirty.items()},
            **{
                (step.node.name, number): read.starts.to(self.device)
                for step in plan.steps
                for number, read in enumerate(step.reads)
                if read is not None
            },
        }
        self.factors = {step.node.name: step.factor.to(images) for step in plan.steps if step.factor is not None}
        self.count = len(owners)
        self.caches: dict[Kept, FeatureCache] = {}  # each in the type of its value: masks are not of the network's
        self.caches_of: dict[str, list[FeatureCache]] = {}
        parts = [
            self._begin(images[batch], [(owners == image).nonzero().flatten() for image in batch])
            for batch in torch.arange(len(images)).split(batch_size)
        ]
        self.untouched: Values = tuple(torch.cat(values) for values in zip(*parts, strict=True))

    def change(self, regions: Tensor, pixels: Tensor) -> Values:
        """Changes some windows of every image, evaluates the head of the plan where it may change.

        Args:
            regions: (S, T) which regions changed.
            pixels: (S · T, C, h, w) what the windows around these regions hold now, normalised.

        Returns:
            The values that cross to the tail: those that are kept, so the next change may change them.
        """
        for _ in self.visit(regions, pixels):
            pass
        return tuple(self.caches[self.plan.place(name)].values for name in self.plan.crossing)

    @contextmanager
    def changed(self, regions: Tensor, pixels: Tensor) -> Iterator[Values]:
        """Changes windows as ``change`` does, and takes the change back at the end of the context."""
        index = torch.arange(len(regions), device=self.device).repeat_interleave(regions.shape[1])
        before = []
        for name, caches in self.caches_of.items():
            starts, size = self.starts[name][:, regions.flatten()], self.plan.dirty[name].size
            before += [(cache, starts, cache.read(index, starts, size)) for cache in caches]
        yield self.change(regions, pixels)
        for cache, starts, windows in before:
            cache.write(index, starts, windows)

    def visit(self, regions: Tensor, pixels: Tensor) -> Iterator[str]:
        """Changes one node after the other, as ``change`` does; yields their names."""
        regions = regions.to(self.device)
        index = torch.arange(len(regions), device=self.device).repeat_interleave(regions.shape[1])
        regions = regions.flatten()
        windows = {self.plan.graph.input: pixels}  # that were evaluated, or changed, and that a later step reads
        self._keep(self.plan.graph.input, pixels, index, regions)
        for step, finished in zip(self.plan.steps, self.plan.finished, strict=True):
            windows[step.node.name] = self._evaluate(step, index, regions, windows)
            self._keep(step.node.name, windows[step.node.name], index, regions)
            yield step.node.name
            for name in finished:
                del windows[name]

    def _evaluate(self, step: WindowStep, index: Tensor, regions: Tensor, windows: dict[str, Tensor]) -> Tensor:
        """Values of one node on windows, from those that were evaluated before and from what is kept."""
        inputs = [
            windows[name]
            if read is None
            else self.caches[self.plan.place(name, read.fill)].read(
                index, self.starts[step.node.name, number][:, regions], read.size
            )
            for number, (name, read) in enumerate(zip(step.node.inputs, step.reads, strict=True))
        ]
        operation = step.node.operation
        if step.in_place:
            value = operation.evaluate_in_place(0, *inputs)
        else:
            value = operation.evaluate_window(step.reach, *inputs)
        return value if step.factor is None else value * self.factors[step.node.name][regions]

    def _keep(self, name: str, windows: Tensor, index: Tensor, regions: Tensor) -> None:
        for cache in self.caches_of.get(name, ()):
            cache.write(index, self.starts[name][:, regions], windows)

    def _make_caches(self, name: str, value: Tensor) -> None:
        found = {
            kept: FeatureCache(self.count, self.plan.shapes[name], border=border, fill=kept[1], like=value)
            for kept, border in self.plan.kept.items()
            if kept[0] == name
        }
        self.caches |= found
        self.caches_of[name] = list(found.values())

    def _begin(self, images: Tensor, owned: Sequence[Tensor]) -> Values:
        """Evaluates images, keeps the values for the trajectories of each, and returns what crosses to the tail."""
        crossing: dict[str, Tensor] = {}
        begun = {self.plan.graph.input: images}
        for name, value in itertools.chain([*begun.items()], self.plan.begin.visit(begun)):
            if name in self.plan.kept_names and name not in self.caches_of:
                self._make_caches(name, value)
            for cache in self.caches_of.get(name, ()):
                for number, trajectories in enumerate(owned):
                    cache.values[trajectories] = value[number]
            if name in self.plan.crossing:
                crossing[name] = value
        return tuple(crossing[name] for name in self.plan.crossing)


class Tail:
    """The tail of a plan: what crosses to it is collected until a batch of the best size can go through.

    Args:
        state: of the S trajectories whose values cross.
        batch_size: of the best size; S at least are collected.
    """

    def __init__(self, state: IncrementalState, batch_size: int) -> None:
        self.plan, self.batch_size, self.filled = state.plan, batch_size, 0
        rounds = max(1, batch_size // state.count)  # how often values are put in before the tail is evaluated
        self.collected = [
            value.new_empty(rounds * state.count, *value.shape[1:]).contiguous(memory_format=torch.channels_last)
            for value in state.untouched
        ]

    def put(self, values: Values) -> None:
        """Copies what crosses, for S trajectories."""
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
