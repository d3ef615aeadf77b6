"""Which nodes are evaluated on windows: those where that is measured to save time, or multiply-adds."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.defaults import DEFAULT_MEMORY
from heatproof.errors import InputError
from heatproof.network.graph import FEW, MANY, Graph, Subgraph
from heatproof.network.incremental.dirty_regions import DirtyRegions
from heatproof.network.incremental.incremental_state import IncrementalState
from heatproof.network.incremental.plan import Plan, whole_plan
from heatproof.network.readout import split_readout
from heatproof.randomness import addressed

FEWEST, MOST = 4, 16  # images at once, while measuring: few misjudge what one call costs, however small its values
WORK = 16 * 10**9  # multiply-adds of a round, about; large networks are measured on fewer images
ROUNDS = 3
HOPELESS = 0.88  # share of the multiply-adds from which on windows saved no time on any network that was measured
WORTHWHILE = 0.05  # share of the time that windows must save, for what is not in the costs: copying, more memory

CPU_BATCH = 4  # measured: fewer images leave matrix products too small, also where …
CPU_ACTIVATION = 32 * 2**20  # bytes … a map is larger than this, so that the allocator asks for fresh pages each time
CPU_WINDOWS = 16  # at once, with what is kept of as many trajectories at the most
TAIL_BATCH = 128
DEVICE_BATCH = 1024  # on other devices memory says how many: few large batches, since each call costs the same


@dataclass(frozen=True)
class NodeCosts:
    """Seconds that each node takes for one image, by name."""

    windows: Mapping[str, float]  # evaluated on one window, reading and keeping included
    full: Mapping[str, float]  # evaluated in full


class Planner:
    """Plans how a network is evaluated again after a change, and knows what its nodes cost.

    Args:
        like: gives the type and the device of the network.
    """

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self._costs: dict[tuple[int, ...], NodeCosts] = {}
        self._measures = True

    def plan(
        self, graph: Graph, regions: DirtyRegions, *, windows: int = 1, measured: bool = True, one_class: bool = False
    ) -> Plan:
        """How images are evaluated again when so many of their ``regions`` have changed at once.

        The plan that takes least time, for which the cost of all nodes is measured the first time that windows may save
        any, or the one that needs the fewest multiply-adds, also where costs were given and none fit. Where
        ``one_class`` is enough, it may end with a readout of one logit.
        """
        graph, readout = (split_readout(graph) if one_class else None) or (graph, None)
        whole = whole_plan(graph, regions, readout, windows)
        lean, full = leanest(whole), whole.cut([])
        if measured and lean.multiply_adds > HOPELESS * full.multiply_adds:
            return full
        key = (*graph.input_shape, *regions.size, len(graph))
        if key not in self._costs and measured and self._measures:
            self._costs[key] = measure(whole, self.like)
        costs = self._costs.get(key) if measured else None
        return lean if costs is None else cheapest(whole, costs)

    def costs(self) -> list[dict[str, Any]]:
        """What nodes cost, as far as it was measured, as JSON-able values for ``use_costs``."""
        return [{"key": list(key), **asdict(found)} for key, found in self._costs.items()]

    def use_costs(self, given: Sequence[Mapping[str, Any]]) -> None:
        """Takes costs that were measured before, and measures no others: plans are then the same as before.

        Raises:
            InputError: for what is no cost.
        """
        try:
            costs = {tuple(map(int, one["key"])): NodeCosts(dict(one["windows"]), dict(one["full"])) for one in given}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"expected measured costs with key, windows and full, got {given!r:.200}") from error
        self._costs, self._measures = costs, False

    def batch_size(self, graph: Graph, memory: int) -> int:
        """How many images are evaluated in full at once within ``memory`` bytes (at least one)."""
        if graph.stages is None or not on_cpu(self.like):
            return self.unstaged_batch_size(graph, memory)
        first, rest = graph.stages
        memory -= 2 * FEW * first.peak_values * self.like.dtype.itemsize
        values = 2 * (rest.peak_values + prod(graph.input_shape))  # of all images, which wait for their turn
        return min(MANY, images_within(memory, values, rest.largest_value, self.like))

    def unstaged_batch_size(self, graph: Graph, memory: int) -> int:
        """The same where all nodes are evaluated for as many images."""
        return images_within(memory, 2 * graph.whole.peak_values, graph.whole.largest_value, self.like)

    def trajectories_at_once(self, plan: Plan, memory: int) -> int:
        """How many trajectories go side by side within ``memory`` bytes (at least one)."""
        values = plan.kept_values + 2 * plan.window_values
        few = max(1, CPU_WINDOWS // plan.windows)
        return images_within(memory, values, plan.window_values, self.like, few=few)

    def tail_batch_size(self, plan: Plan, memory: int) -> int:
        """How many images go through the tail of a plan at once within ``memory`` bytes (at least one)."""
        sizes = [prod(plan.shapes[name]) for name in plan.crossing] + [prod(node.shape) for node in plan.tail.nodes]
        within = images_within(memory, sum(sizes), max(sizes), self.like)
        return min(TAIL_BATCH, within) if on_cpu(self.like) else within


def images_within(memory: int, values: int, largest: int, like: Tensor, few: int = CPU_BATCH) -> int:
    """How many images go through at once that take so many ``values`` each, ``largest`` of them in one map."""
    fast = max(few, CPU_ACTIVATION // max(1, largest * like.dtype.itemsize)) if on_cpu(like) else DEVICE_BATCH
    return max(1, min(fast, memory // (values * like.dtype.itemsize)))


def on_cpu(like: Tensor) -> bool:
    """Whether a tensor is on the CPU, and not on a GPU or another device that takes its work from a queue."""
    return like.device.type == "cpu"


def measure(whole: Plan, like: Tensor) -> NodeCosts:
    """Costs of all nodes on the device and in the type of ``like``, on noise; the least of some rounds.

    On a GPU the whole head is sent off at once, on as many images as a run takes: what a launch costs, and what waits
    for it, then counts as it does in a run.
    """
    generator = addressed(seed=0, image="noise", purpose="costs")
    image = whole.dirty[whole.graph.input]
    channels, height, width = whole.graph.input_shape
    count = min(MOST, max(FEWEST, WORK // max(1, whole.graph.multiply_adds)))
    if not on_cpu(like):
        count = _within_default(whole, like)

    def noise(height: int, width: int) -> Tensor:
        values = generator.standard_normal((count, height, width, channels), dtype=np.float32)
        return torch.from_numpy(values).to(like).permute(0, 3, 1, 2)

    images = noise(height, width)
    with torch.inference_mode():
        trajectories = IncrementalState(whole, images, torch.arange(count), batch_size=count)
        on_windows, in_full = [], []
        for _ in range(ROUNDS):
            regions = torch.from_numpy(generator.integers(image.first.shape[1], size=(count, 1)))
            on_windows.append(seconds_by_name(trajectories.visit(regions, noise(*image.size)), like.device))
            in_full.append(_in_full(whole.graph, images))
    return NodeCosts(_least(on_windows, count), _least(in_full, 1))


def _in_full(graph: Graph, images: Tensor) -> dict[str, float]:
    """Seconds that each node takes for one image, by name, as the graph evaluates so many of them."""
    if graph.stages is None or not on_cpu(images):
        return _each(graph.whole, {graph.input: images}, images)
    (first, rest), few = graph.stages, images[:FEW]
    name = first.nodes[-1].name
    begun = torch.cat([first.value(name, {graph.input: few})] * (len(images) // FEW))
    return _each(first, {graph.input: few}, few) | _each(rest, {name: begun}, begun)


def _each(nodes: Subgraph, values: dict[str, Tensor], images: Tensor) -> dict[str, float]:
    seconds = seconds_by_name((name for name, _ in nodes.visit(values)), images.device)
    return {name: spent / len(images) for name, spent in seconds.items()}


def cheapest(whole: Plan, costs: NodeCosts) -> Plan:
    """The plan that takes least time; none on windows where that hardly saves any."""
    saved = {name: costs.full[name] - whole.windows * costs.windows[name] for name in whole.head}
    plan = _cut(whole, saved)
    worthwhile = sum(saved[name] for name in plan.head) > WORTHWHILE * sum(costs.full.values())
    return plan if worthwhile else whole.cut([])


def leanest(whole: Plan) -> Plan:
    """The plan with the fewest multiply-adds: the same on every machine."""
    saved = {
        step.node.name: step.node.operation.multiply_adds(step.node.shape) - whole.windows * step.multiply_adds
        for step in whole.steps
    }
    return _cut(whole, saved)


def _cut(whole: Plan, saved: Mapping[str, float]) -> Plan:
    """The plan whose head, the first nodes of the whole plan's, saves most."""
    names = [node.name for node in whole.begin.nodes]
    totals = [0.0, *accumulate(saved[name] for name in names)]
    return whole.cut(names[: totals.index(max(totals))])


def _within_default(whole: Plan, like: Tensor) -> int:
    """How many images a run takes at once where nobody says how much memory it may have."""
    memory, planner = DEFAULT_MEMORY // 2, Planner(like)
    return min(planner.unstaged_batch_size(whole.graph, memory), planner.trajectories_at_once(whole, memory))


def seconds_by_name(names: Iterator[str], device: torch.device) -> dict[str, float]:
    """Seconds since the one before, by name; on a GPU between marks in its queue, so that nothing waits for another."""
    if device.type != "cuda":
        started, seconds = time.perf_counter(), {}
        for name in names:
            now = time.perf_counter()
            seconds[name], started = now - started, now
        return seconds
    found, marks = [], [_mark()]
    for name in names:
        found.append(name)
        marks.append(_mark())
    torch.cuda.synchronize(device)
    return {name: one.elapsed_time(other) / 1000 for name, (one, other) in zip(found, pairwise(marks), strict=True)}


def _mark() -> "torch.cuda.Event":
    mark = torch.cuda.Event(enable_timing=True)
    mark.record()
    return mark


def _least(rounds: list[dict[str, float]], count: int) -> dict[str, float]:
    return {name: min(seconds[name] for seconds in rounds) / count for name in rounds[0]}
