"""What evaluation costs, on windows and in full, measured where it will run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.incremental.plan import Plan
from heatproof.network.incremental.sequences import Changing
from heatproof.randomness import addressed

FEWEST, MOST = 4, 16  # images at once, while measuring: few misjudge what one call costs, however small its values
WORK = 32 * 10**9  # multiply-adds of a round, about; large networks are measured on fewer images
ROUNDS = 4
WORTHWHILE = 0.05  # share of the time that windows must save, for what is not in the costs: copying, more memory


@dataclass(frozen=True)
class Costs:
    """Seconds that each node takes for one image.

    Attributes:
        windows: by node, evaluated on one window, reading and keeping included.
        full: by node, evaluated in full.
    """

    windows: Mapping[str, float]
    full: Mapping[str, float]


def described_costs(costs: Mapping[tuple[int, ...], Costs]) -> list[dict[str, Any]]:
    """As JSON-able values."""
    return [{"key": list(key), **asdict(found)} for key, found in costs.items()]


def restored_costs(given: Sequence[Mapping[str, Any]]) -> dict[tuple[int, ...], Costs]:
    """From such values.

    Raises:
        InputError: for what is no cost.
    """
    try:
        return {tuple(map(int, one["key"])): Costs(dict(one["windows"]), dict(one["full"])) for one in given}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"expected measured costs with key, windows and full, got {given!r:.200}") from error


def measure(whole: Plan, like: Tensor) -> Costs:
    """Costs of all nodes on the device and in the type of ``like``, on noise; the least of some rounds."""
    generator = addressed(seed=0, image="noise", purpose="costs")
    image = whole.touched[whole.graph.input]
    channels, height, width = whole.graph.input_shape
    count = min(MOST, max(FEWEST, WORK // max(1, whole.graph.multiply_adds)))

    def noise(height: int, width: int) -> Tensor:
        values = generator.standard_normal((count, height, width, channels), dtype=np.float32)
        return torch.from_numpy(values).to(like).permute(0, 3, 1, 2)

    images = noise(height, width)
    with torch.inference_mode():
        changing = Changing(whole, images, torch.arange(count), batch_size=count)
        on_windows, in_full = [], []
        for _ in range(ROUNDS):
            regions = torch.from_numpy(generator.integers(image.first.shape[1], size=(count, 1)))
            on_windows.append(_timed(changing.visit(regions, noise(*image.size)), like.device))
            in_full.append(_timed((name for name, _ in whole.graph.visit(images)), like.device))
    return Costs(_least(on_windows, count), _least(in_full, count))


def cheapest(whole: Plan, costs: Costs, windows: int = 1) -> Plan:
    """The plan that takes least time with so many windows at once; none on windows where that hardly saves any."""
    saved = {name: costs.full[name] - windows * costs.windows[name] for name in whole.head}
    plan = _cut(whole, saved)
    worthwhile = sum(saved[name] for name in plan.head) > WORTHWHILE * sum(costs.full.values())
    return plan if worthwhile else whole.cut([])


def leanest(whole: Plan, windows: int = 1) -> Plan:
    """The plan with the fewest multiply-adds with so many windows at once: the same on every machine."""
    saved = {
        step.node.name: step.node.operation.multiply_adds(step.node.shape) - windows * step.multiply_adds
        for step in whole.steps
    }
    return _cut(whole, saved)


def _cut(whole: Plan, saved: Mapping[str, float]) -> Plan:
    """The plan whose head, the first nodes of the whole plan's, saves most."""
    names = [node.name for node in whole.graph if node.name in whole.head]
    totals = [0.0, *accumulate(saved[name] for name in names)]
    return whole.cut(names[: totals.index(max(totals))])


def _timed(names: Iterator[str], device: torch.device) -> dict[str, float]:
    """Seconds since the one before, by name."""
    seconds = {}
    started = time.perf_counter()
    for name in names:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.perf_counter()
        seconds[name] = now - started
        started = now
    return seconds


def _least(rounds: list[dict[str, float]], count: int) -> dict[str, float]:
    return {name: min(seconds[name] for seconds in rounds) / count for name in rounds[0]}
