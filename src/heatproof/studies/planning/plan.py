"""What will a comparison take: evaluations, memory, time? And which one is enough?"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from heatproof.bounds import PILOT
from heatproof.defaults import DEFAULT_METHODS, PILOT_IMAGES
from heatproof.errors import InputError
from heatproof.network.incremental import Plan
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.studies.audit import check_audit, evaluations_of_an_image, images_to_audit
from heatproof.studies.further import check_measures, needs_of
from heatproof.studies.planning.costs import measure_costs
from heatproof.studies.planning.design import Proposal, propose
from heatproof.studies.planning.forecast import Extra, Forecast, Measured, StepCost
from heatproof.studies.planning.goal import Goal
from heatproof.studies.planning.pace import choose_engine, measure_pace, sequences_together, time_heatmaps
from heatproof.studies.planning.pilot import run_pilot
from heatproof.studies.task import Methods, Task


def plan_comparison(
    network: Network,
    images: Tensor,
    methods: Methods = DEFAULT_METHODS,
    *,
    targets: Tensor | int | None = None,
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
    measures: Sequence[str] = (),
    precision: float | str | None = None,
    budget: int | str | None = None,
    pilot: int = PILOT_IMAGES,
) -> Forecast:
    """What ``compare`` will take with the same arguments, or with the cheapest that are enough [Samek2017].

    Evaluations, multiply-adds and memory are counted. The time is measured: the heatmaps of one batch of images, and as
    many perturbation sequences as go side by side, over as many steps as take a few seconds, by the code that
    ``compare`` runs.

    With a precision or a budget, images, repeats and scored steps are planned: a pilot on a few of the images tells
    how much images, repeats and steps differ, and what they cost (``Forecast.proposal``).

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1], all that are to be compared on, or that there are to choose from.
        methods: as in ``compare``.
        targets: (N,) class indices, or one for all images; by default the predicted classes.
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
        measures: that evaluate the network further.
        precision: half the width of the 95 % interval of every method's AOPC above the random order: in the score's
            unit, such as 0.25, or as a share of the random order's AOPC, such as "5%".
        budget: a number of evaluations, such as 20000, or a time, such as "10min"; instead of a precision.
        pilot: number of its images, drawn at random from those given.

    Returns:
        A ``Forecast``, which prints as a table; times in seconds, memory in bytes.

    Raises:
        InputError: where ``compare`` would; for a precision or budget that is none, or together with repeats or scored.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> forecast = plan_comparison(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"], steps=3)
    >>> forecast.evaluations  # 4 images × (2 methods + random order) × 3 steps + 4 untouched
    40
    """
    check_audit(audit)
    check_measures(measures)
    PILOT.check("pilot", pilot)
    goal = Goal.of(precision, budget)
    if goal and (repeats != 1 or scored is not None):
        raise InputError("repeats and scored are what is planned for a precision or a budget: leave them out")
    started = time.perf_counter()
    protocol = Protocol(
        replacement, regions, steps, repeats, seed, score, engine, memory, as_statistics(statistics), scored
    )
    task = Task.of(network, images, methods, targets, protocol, lerf=lerf)
    needs_of(measures, task)
    choose_engine(task)  # makes the graph, and measures its costs
    preparing = time.perf_counter() - started
    if goal:
        return _designed(task, goal, pilot, audit, measures, preparing)
    return _forecast(task, len(images), audit, measures, preparing)


def _forecast(task: Task, images: int, audit: int | None, measures: Sequence[str], preparing: float) -> Forecast:
    """Of a task, or of the same with another number of images, when its graph is there."""
    started = time.perf_counter()
    chosen, plan = choose_engine(task)
    heatmap_seconds, batch = time_heatmaps(task)
    together = sequences_together(task, batch, plan)
    pace, auditing = measure_pace(task, batch, together), _audit_cost(task, audit)
    return Forecast(
        images=images,
        methods=len(task.names),
        repeats=task.protocol.repeats,
        steps=task.steps,
        scored=task.scored,
        lerf=task.lerf,
        engine=chosen,
        step=_step_cost(task, plan, together),
        preparing_seconds=preparing,
        heatmap_seconds=heatmap_seconds / len(batch.targets) * images,
        perturbation_seconds=pace.seconds(images * task.sequences_of_an_image, task.scored),
        measured=Measured(
            len(batch.targets), pace.sequences, pace.measured_steps, preparing + time.perf_counter() - started
        ),
        audit=auditing,
        further=_further_cost(task, images, measures),
    )


def _designed(
    task: Task, goal: Goal, pilot_images: int, audit: int | None, measures: Sequence[str], preparing: float
) -> Forecast:
    """Of the design that a pilot recommends."""
    pilot = run_pilot(task, pilot_images)
    costs = measure_costs(task, preparing)
    design = propose(pilot, costs, goal, len(task.images))
    chosen = replace(task, protocol=replace(task.protocol, repeats=design.repeats, scored=design.scored))
    few = chosen.of_images(range(min(design.images, len(task.images))))
    forecast = _forecast(few, design.images, audit, measures, preparing)
    pace = forecast.perturbation_seconds / (design.images * chosen.sequences_of_an_image)
    exact = replace(costs, paces={**costs.paces, design.scored: pace})
    proposal = Proposal(design, goal, len(task.images), pilot, exact, task.protocol.score)
    return replace(forecast, proposal=proposal)


def _audit_cost(task: Task, wanted: int | None) -> Extra:
    images = min(len(task.images), images_to_audit(task, wanted, task.evaluations))
    return _extra(task, images, images * evaluations_of_an_image(task)) if images else Extra(0, 0, 0.0)


def _further_cost(task: Task, images: int, measures: Sequence[str]) -> Extra:
    """Of measures, for so many images like these."""
    evaluations = sum(need.evaluations for need in needs_of(measures, task)) * images // len(task.images)
    return _extra(task, images, evaluations) if evaluations else Extra(0, 0, 0.0)


def _extra(task: Task, images: int, evaluations: int) -> Extra:
    """Counted; the time is that of one batch, evaluated in full."""
    batch = task.images[: task.network.batch_size(task.shape, task.protocol.evaluation_memory)]
    task.network.logits(batch[:1])  # some things are slow the first time
    started = time.perf_counter()
    task.network.logits(batch)
    return Extra(images, evaluations, evaluations * (time.perf_counter() - started) / len(batch))


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
