"""What will a comparison take: evaluations, memory, time? And which one is enough?"""

import time
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from heatproof.data.source import GivenImages
from heatproof.errors import InputError
from heatproof.network.incremental import Plan
from heatproof.network.network import Network
from heatproof.options.signatures import takes
from heatproof.options.studies import PlanArguments
from heatproof.results.headline import proper_methods
from heatproof.results.part import REFERENCE
from heatproof.studies.audit import affordable, evaluations_of_an_image
from heatproof.studies.compare import wanted_curves
from heatproof.studies.further import needs_of
from heatproof.studies.pilot import followed, pilot_evaluations, pilot_places
from heatproof.studies.planning.costs import measure_costs
from heatproof.studies.planning.design import Proposal, propose
from heatproof.studies.planning.forecast import Extra, Forecast, Measured, Planting, StepCost
from heatproof.studies.planning.goal import Goal
from heatproof.studies.planning.pace import choose_engine, measure_pace, sequences_together, time_heatmaps
from heatproof.studies.planning.pilot import run_pilot
from heatproof.studies.planted import planted_by, wanted_witness
from heatproof.studies.task import Task, labelled
from heatproof.studies.wanted import Wanted


@takes(PlanArguments)
def plan_comparison(network: Network, images: Tensor, options: PlanArguments) -> Forecast:
    """What ``compare`` will take with the same arguments, or with the cheapest that are enough [Samek2017].

    Evaluations, multiply-adds and memory are counted. The time is measured: the heatmaps of one batch of images, and as
    many perturbation sequences as go side by side, over as many steps as take a few seconds, by the code that
    ``compare`` runs.

    With a half width or a budget, images, repeats and scored steps are planned: a pilot on a few of the images tells
    how much images, repeats and steps differ, and what they cost (``Forecast.proposal``).

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1], all that are to be compared on, or that there are to choose from.
        options: one argument for each of them.

    Returns:
        A ``Forecast``, which prints as a table; times in seconds, memory in bytes.

    Raises:
        InputError: where ``compare`` would; for no half width or budget, or one together with repeats or scored.

    >>> import torch
    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3)))
    >>> options = {"steps": 3, "protocol": "samek2017"}
    >>> forecast = plan_comparison(network, torch.rand(4, 3, 18, 18), ["lrp-epsilon", "sensitivity-l2"], **options)
    >>> forecast.evaluations  # 4 images × (2 methods + random order) × 3 steps + 4 untouched
    40
    """
    goal = Goal.of(options.half_width, options.budget)
    wanted = wanted_curves(options, options.methods)
    if goal and (options.repeats != 1 or options.scored is not None):
        raise InputError("a half width or a budget decides repeats and scored: leave these two out")
    started = time.perf_counter()
    task = Task.of(network, images, wanted.methods, options.targets, wanted.protocol, lerf=wanted.lerf)
    wanted = followed(wanted, network, task.shape)
    task = replace(task, symmetric=wanted.symmetric)
    pilot = len(pilot_places(wanted, task.identities))
    needs_of(wanted.measures, task)
    choose_engine(task)  # makes the graph, and measures its costs
    preparing = time.perf_counter() - started
    planting = _planting_cost(task, wanted_witness(wanted)) if options.planted else Planting(0, 0, 0.0)
    if goal:
        found = _designed(task, wanted, goal, options.pilot, preparing)
    else:
        found = _forecast(task, len(images) - pilot, wanted, preparing)
    trial = _extra(task, pilot, pilot * pilot_evaluations(wanted)) if pilot else Extra(0, 0, 0.0)
    return replace(found, choosing=trial, planting=_scaled(planting, found.images if goal else len(images)))


def _forecast(task: Task, images: int, wanted: Wanted, preparing: float) -> Forecast:
    """Forecast of a task, or of the same task with another number of images, once its graph is made."""
    started = time.perf_counter()
    chosen, plan = choose_engine(task)
    heatmap_seconds, batch = time_heatmaps(task)
    together = sequences_together(task, batch, plan)
    pace, auditing = measure_pace(task, batch, together), _audit_cost(task, wanted.audit, task.evaluations)
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
        further=_further_cost(task, images, wanted.measures),
    )


def _designed(task: Task, wanted: Wanted, goal: Goal, pilot_images: int, preparing: float) -> Forecast:
    """Forecast of the design that a pilot recommends."""
    pilot = run_pilot(task, pilot_images, symmetric=wanted.symmetric)
    costs = measure_costs(task, preparing)
    design = propose(pilot, costs, goal, len(task.images))
    chosen = replace(task, protocol=replace(task.protocol, repeats=design.repeats, scored=design.scored))
    few = chosen.of_images(range(min(design.images, len(task.images))))
    forecast = _forecast(few, design.images, wanted, preparing)
    pace = forecast.perturbation_seconds / (design.images * chosen.sequences_of_an_image)
    exact = replace(costs, paces={**costs.paces, design.scored: pace})
    proposal = Proposal(design, goal, len(task.images), pilot, exact, task.protocol.unit)
    return replace(forecast, proposal=proposal)


def _audit_cost(task: Task, wanted: int | None, evaluations: int) -> Extra:
    """Cost of the audit at most: it asks of fewer images what fewer can answer."""
    task = task.among([*(proper_methods(task.names) if task.symmetric else task.names), REFERENCE])
    images = min(len(task.images), affordable(task, wanted, evaluations))
    return _extra(task, images, images * evaluations_of_an_image(task)) if images else Extra(0, 0, 0.0)


def _further_cost(task: Task, images: int, measures: Sequence[str]) -> Extra:
    """Cost of further measures for this number of images."""
    evaluations = sum(need.evaluations for need in needs_of(measures, task)) * images // len(task.images)
    return _extra(task, images, evaluations) if evaluations else Extra(0, 0, 0.0)


def _planting_cost(task: Task, witness: Wanted) -> Planting:
    """Cost of planted truth; mosaics are drawn and looked at, so that it is known which tiles the network sees."""
    photographs = GivenImages(task.images, labelled(None, task.images))
    started = time.perf_counter()
    found = planted_by(witness, task.network, photographs, targets=task.targets)
    seconds = time.perf_counter() - started
    heatmaps, batch = time_heatmaps(task.among(witness.methods))
    tiles, mosaics = len(found.explained), len({place.picture for place in found.places})
    evaluations = len(task.images) + mosaics  # each photograph, and each mosaic, is asked for its classes
    return Planting(len(task.images), evaluations, seconds + heatmaps / len(batch.targets) * tiles, tiles)


def _scaled(cost: Planting, images: int) -> Planting:
    """The cost of planted truth for another number of photographs."""
    if not cost.images or images == cost.images:
        return cost
    share = images / cost.images
    return Planting(images, round(share * cost.evaluations), share * cost.seconds, max(1, round(share * cost.tiles)))


def _extra(task: Task, images: int, evaluations: int) -> Extra:
    """Counted; the time is that of one batch, evaluated in full."""
    batch = task.images[: task.network.batch_size(task.shape, task.protocol.evaluation_memory)]
    task.network.logits(batch[:1])  # some things are slow the first time
    started = time.perf_counter()
    task.network.logits(batch)
    return Extra(images, evaluations, evaluations * (time.perf_counter() - started) / len(batch))


def _step_cost(task: Task, plan: Plan | None, together: int) -> StepCost:
    network = task.network
    in_full = 0 if network.without_graph(task.shape) else network.graph(task.shape, unread=False).multiply_adds
    return StepCost(
        multiply_adds=plan.multiply_adds if plan else in_full,
        in_full=in_full,
        at_once=together,
        bytes_each=plan.kept_values * network.dtype.itemsize if plan else 0,
        memory=task.protocol.memory,
    )
