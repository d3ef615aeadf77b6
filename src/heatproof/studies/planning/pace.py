"""How fast a comparison goes, measured with the code of the run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice

from torch import Tensor

from heatproof.heatmaps.explaining import Explained
from heatproof.network.incremental import Plan
from heatproof.network.precision import in_precision
from heatproof.perturbation import Engine, perturb_orders
from heatproof.perturbation.engine import at_once, choose
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.trajectories import distinct
from heatproof.studies.task import Task

FEW_STEPS = 8
SHARE = 0.02  # of the run's time, that the longest measurement takes …
SHORTEST, LONGEST = 3.0, 15.0  # … within so many seconds


@dataclass(frozen=True)
class Pace:
    """How many seconds it takes to begin so many sequences, and to go on with them for one scored step."""

    sequences: int
    measured_steps: int
    begin: float
    step: float

    @classmethod
    def of(cls, sequences: int, seconds: Mapping[int, float]) -> "Pace":
        """The pace from measured seconds by number of steps: the difference of two tells starting from going on."""
        few, many = min(seconds), max(seconds)
        step = max(0.0, seconds[many] - seconds[few]) / (many - few) if few < many else seconds[many] / many
        return cls(sequences, many, max(0.0, seconds[many] - many * step), step)

    def seconds(self, sequences: int, steps: int) -> float:
        """Expected seconds for other numbers of sequences and steps."""
        return sequences / self.sequences * (self.begin + steps * self.step)


def choose_engine(task: Task) -> tuple[Engine, Plan | None]:
    """The engine of a comparison, and its plan, if it is incremental."""
    return choose(
        in_precision(task.network, task.protocol.precision),
        task.shape,
        distinct(task.regions),
        engine=task.protocol.engine,
        score=SCORES.resolve(task.protocol.score),
        regions_at_once=task.regions_at_once,
        imputes=task.protocol.imputes,
        drops=task.protocol.drops,
    )


def time_heatmaps(task: Task) -> tuple[float, Explained]:
    """Seconds for one batch of heatmaps, and the batch."""
    next(task.of_images([0]).explained())  # some things are slow the first time
    started = time.perf_counter()
    _, batch = next(task.explained())
    return time.perf_counter() - started, batch


def sequences_together(task: Task, batch: Explained, plan: Plan | None) -> int:
    """How many sequences go side by side, or perturbed images: all of a batch of images, or what memory allows."""
    network, memory = in_precision(task.network, task.protocol.precision), task.protocol.evaluation_memory
    allowed = at_once(network, task.shape, plan, memory=memory)
    sequences = len(batch.targets) * task.sequences_of_an_image
    return min(allowed, sequences if plan else sequences * task.scored)


def measure_pace(task: Task, batch: Explained, together: int) -> Pace:
    """Follows the same sequences over a few steps, and over many if that is quick, or one."""
    sample, orders = _sample(task, batch, together)
    count, few = len(sample.images) * len(orders), min(FEW_STEPS, task.scored)
    _follow(sample, orders, batch, 1)  # some things are slow the first time
    seconds = {few: _follow(sample, orders, batch, few)}
    run = Pace.of(count, seconds).seconds(task.sequences, task.scored)
    many = min(task.scored, int(few / seconds[few] * min(max(SHARE * run, SHORTEST), LONGEST)))
    other = many if many >= 2 * few else 1
    if other != few:
        seconds[other] = _follow(sample, orders, batch, other)
    return Pace.of(count, seconds)


def _sample(task: Task, batch: Explained, together: int) -> tuple[Task, dict[int, Tensor]]:
    """Sample of trajectories: as many as the run follows side by side, of as few images."""
    together = min(together, len(batch.targets) * task.sequences_of_an_image)
    count = max(1, min(len(batch.targets), round(together / task.sequences_of_an_image)))
    heatmaps = {name: maps[:count] for name, maps in batch.heatmaps.items()}
    orders = task.orders(heatmaps, slice(0, count)).values()
    repeated = islice(cycle(orders), max(1, together // count))  # which regions they remove makes no difference
    return task.of_images(range(count)), {number: order[:, :1] for number, order in enumerate(repeated)}


def _follow(task: Task, orders: dict[int, Tensor], batch: Explained, scored: int) -> float:
    """Seconds for the first scored steps of some sequences."""
    steps = min(task.steps, scored * task.regions_at_once)
    protocol = replace(task.protocol, regions=task.regions, steps=steps, scored=scored, repeats=1)
    cut = {number: order[:, :, :steps] for number, order in orders.items()}
    started = time.perf_counter()
    perturb_orders(task.network, task.images, cut, batch.asked[: len(task.images)], protocol, task.identities)
    return time.perf_counter() - started
