"""What will a comparison take: evaluations, memory, time?"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from torch import Tensor

from heatproof.heatmaps.explaining import Explained
from heatproof.network.incremental import Plan
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import Protocol, perturb_orders
from heatproof.perturbation.engine import at_once, choose
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.sequences import distinct
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.audit import check_audit, evaluations_of_an_image, images_to_audit
from heatproof.studies.compare import DEFAULT_METHODS
from heatproof.studies.forecast import AuditCost, Forecast, Measured, StepCost
from heatproof.studies.task import Methods, Task

FEW_STEPS = 8
SHARE = 0.02  # of the run's time, that the longest measurement takes …
SHORTEST, LONGEST = 3.0, 15.0  # … within so many seconds


def plan_comparison(
    network: Network,
    images: Tensor,
    methods: Methods = DEFAULT_METHODS,
    *,
    targets: Tensor | None = None,
    replacement: str = "uniform",
    regions: int | str | Tensor = 9,
    steps: int | str | None = None,
    repeats: int = 1,
    seed: int = 0,
    score: str = "logit",
    engine: str = "auto",
    memory: int = DEFAULT_MEMORY,
    statistics: Statistics | str | Path | None = None,
    scored: int | None = None,
    lerf: bool = False,
    audit: int | None = None,
) -> Forecast:
    """What ``compare`` will take with the same arguments [Samek2017].

    Evaluations, multiply-adds and memory are counted. The time is measured: the heatmaps of one batch of images, and as
    many perturbation sequences as go side by side, over as many steps as take a few seconds, by the code that
    ``compare`` runs.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1], all that are to be compared on.
        methods: as in ``compare``.
        targets: (N,) class indices; by default the predicted classes.
        replacement: what a removed region becomes.
        regions: size of the grid's regions in pixels, "pixels", superpixels such as "slic[segments=100]", or a map of
            region indices (H, W) or (N, H, W).
        steps: number L of regions to remove; or "all"; by default 100, or all where there are fewer.
        repeats: how often, each time with another replacement image and another random order.
        seed: of all random draws.
        score: of the target.
        engine: "full", "incremental", or "auto".
        memory: bytes that activations and images may take.
        statistics: of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by default
            those of ``images``.
        scored: at how many of the steps the score is evaluated, one drawn at random in each of as many strata, for each
            image and repeat; by default at all. Means over steps stay unbiased.
        lerf: also remove the least relevant regions first.
        audit: on how many images the ranking is audited; by default on as many as ``compare`` takes.

    Returns:
        A ``Forecast``, which prints as a table; times in seconds, memory in bytes.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> forecast = plan_comparison(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"], steps=3)
    >>> forecast.evaluations  # 4 images × (2 methods + random order) × 3 steps + 4 untouched
    40
    """
    started = time.perf_counter()
    check_audit(audit)
    protocol = Protocol(
        replacement, regions, steps, repeats, seed, score, engine, memory, as_statistics(statistics), scored
    )
    task = Task.of(network, images, methods, targets, protocol, lerf=lerf)
    chosen, plan = choose(
        network,
        task.shape,
        distinct(task.regions),
        engine=engine,
        score=SCORES.resolve(protocol.score),
        regions_at_once=task.regions_at_once,
        imputes=protocol.imputes,
    )
    preparing_seconds = time.perf_counter() - started
    heatmap_seconds, batch = _time_heatmaps(task)
    together = _together(task, batch, plan)
    pace, auditing = _pace(task, batch, together), _audit_cost(task, audit)
    return Forecast(
        images=len(images),
        methods=len(task.computed) + len(task.given),
        repeats=repeats,
        steps=task.steps,
        scored=task.scored,
        lerf=lerf,
        engine=chosen,
        step=_step_cost(task, plan, together),
        preparing_seconds=preparing_seconds,
        heatmap_seconds=heatmap_seconds / len(batch.targets) * len(images),
        perturbation_seconds=pace.seconds(task.sequences, task.scored),
        measured=Measured(len(batch.targets), pace.sequences, pace.measured_steps, time.perf_counter() - started),
        audit=auditing,
    )


@dataclass(frozen=True)
class _Pace:
    """How many seconds it takes to begin so many sequences, and to go on with them for one scored step."""

    sequences: int
    measured_steps: int
    begin: float
    step: float

    @classmethod
    def of(cls, sequences: int, seconds: Mapping[int, float]) -> "_Pace":
        """From the seconds of following them over one or two numbers of steps: the difference tells them apart."""
        few, many = min(seconds), max(seconds)
        step = max(0.0, seconds[many] - seconds[few]) / (many - few) if few < many else seconds[many] / many
        return cls(sequences, many, max(0.0, seconds[many] - many * step), step)

    def seconds(self, sequences: int, steps: int) -> float:
        """For other numbers of sequences and steps."""
        return sequences / self.sequences * (self.begin + steps * self.step)


def _time_heatmaps(task: Task) -> tuple[float, Explained]:
    """Seconds for one batch of heatmaps, and the batch."""
    next(task.of_images([0]).explained())  # some things are slow the first time
    started = time.perf_counter()
    _, batch = next(task.explained())
    return time.perf_counter() - started, batch


def _together(task: Task, batch: Explained, plan: Plan | None) -> int:
    """How many sequences go side by side, or perturbed images: all of a batch of images, or what memory allows."""
    allowed = at_once(task.network, task.shape, plan, memory=task.protocol.evaluation_memory)
    sequences = len(batch.targets) * task.sequences_of_an_image
    return min(allowed, sequences if plan else sequences * task.scored)


def _pace(task: Task, batch: Explained, together: int) -> _Pace:
    """Follows the same sequences over a few steps, and over many if that is quick, or one."""
    sample, orders = _sample(task, batch, together)
    count, few = len(sample.images) * len(orders), min(FEW_STEPS, task.scored)
    _follow(sample, orders, batch, 1)  # some things are slow the first time
    seconds = {few: _follow(sample, orders, batch, few)}
    run = _Pace.of(count, seconds).seconds(task.sequences, task.scored)
    many = min(task.scored, int(few / seconds[few] * min(max(SHARE * run, SHORTEST), LONGEST)))
    other = many if many >= 2 * few else 1
    if other != few:
        seconds[other] = _follow(sample, orders, batch, other)
    return _Pace.of(count, seconds)


def _sample(task: Task, batch: Explained, together: int) -> tuple[Task, dict[str, Tensor]]:
    """As many sequences as go side by side in the run, of as few images."""
    together = min(together, len(batch.targets) * task.sequences_of_an_image)
    count = max(1, min(len(batch.targets), round(together / task.sequences_of_an_image)))
    heatmaps = {name: maps[:count] for name, maps in batch.heatmaps.items()}
    orders = task.orders(heatmaps, slice(0, count)).values()
    repeated = islice(cycle(orders), max(1, together // count))  # which regions they remove makes no difference
    return task.of_images(range(count)), {f"order {number}": order[:, :1] for number, order in enumerate(repeated)}


def _follow(task: Task, orders: dict[str, Tensor], batch: Explained, scored: int) -> float:
    """Seconds for the first scored steps of some sequences."""
    steps = min(task.steps, scored * task.regions_at_once)
    protocol = replace(task.protocol, regions=task.regions, steps=steps, scored=scored, repeats=1)
    cut = {name: order[:, :, :steps] for name, order in orders.items()}
    started = time.perf_counter()
    perturb_orders(task.network, task.images, cut, batch.targets[: len(task.images)], protocol, task.identities)
    return time.perf_counter() - started


def _audit_cost(task: Task, wanted: int | None) -> AuditCost:
    """Counted; the time is that of one batch, evaluated in full as the audit does."""
    images = images_to_audit(task, wanted, task.evaluations)
    if not images:
        return AuditCost(0, 0, 0.0)
    evaluations = images * evaluations_of_an_image(task)
    batch = task.images[: task.network.batch_size(task.shape, task.protocol.evaluation_memory)]
    task.network.logits(batch[:1])  # some things are slow the first time
    started = time.perf_counter()
    task.network.logits(batch)
    return AuditCost(images, evaluations, evaluations * (time.perf_counter() - started) / len(batch))


def _step_cost(task: Task, plan: Plan | None, together: int) -> StepCost:
    network = task.network
    in_full = 0 if network.without_graph(task.shape) else network.graph(task.shape).multiply_adds
    return StepCost(
        multiply_adds=plan.multiply_adds() if plan else in_full,
        in_full=in_full,
        at_once=together,
        bytes_each=plan.kept_values * network.dtype.itemsize if plan else 0,
        memory=task.protocol.memory,
    )
