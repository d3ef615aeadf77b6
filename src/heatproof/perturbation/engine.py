"""Which way perturbed images are evaluated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from heatproof.network.exact import multiplying
from heatproof.network.incremental import Plan, dirty_regions
from heatproof.network.incremental.planner import on_cpu
from heatproof.network.network import Network
from heatproof.perturbation.dropping import evaluate_dropping
from heatproof.perturbation.incremental import evaluate_incrementally
from heatproof.perturbation.scores import Score, logit, scored
from heatproof.perturbation.trajectories import OnProgress, Trajectories

ENGINES = ("auto", "full", "incremental")
Perturbed = Callable[[Tensor, Tensor], Tensor]  # (trajectories (B,), steps (B,)) -> (B, C, H, W) normalised


@dataclass(frozen=True)
class Engine:
    """Which engine evaluates perturbed images, and why.

    Attributes:
        name: "full", "incremental", or "tokens" where those of removed patches are left out.
        nodes_on_windows: how many of the network's nodes are evaluated where something changed only.
        nodes: how many there are; none without a graph.
        reason: why this engine.
    """

    name: str
    nodes_on_windows: int
    nodes: int
    reason: str

    def __str__(self) -> str:
        if self.name == "full":
            return "the whole network at each step"
        if self.name == "tokens":
            return "the tokens that are left at each step"
        return f"{self.nodes_on_windows} of {self.nodes} nodes on windows"


def choose(
    network: Network,
    shape: tuple[int, ...],
    maps: Tensor,
    *,
    engine: str,
    score: Score,
    regions_at_once: int = 1,
    imputes: bool = False,
    drops: bool = False,
) -> tuple[Engine, Plan | None]:
    """The engine for images of ``shape`` with these maps of regions (n, H, W), and its plan, if it is incremental.

    Raises:
        InputError: if the incremental engine is asked for and the network has no graph.
    """
    if drops:
        return Engine("tokens", 0, len(network.tokens(shape).steps), "tokens of removed patches are left out"), None
    without_graph = network.without_graph(shape)
    if engine == "full" or (engine == "auto" and (without_graph or imputes)):
        nodes = 0 if without_graph else len(network.graph(shape, unread=False))
        asked = "asked for" if engine == "full" else "this replacement fills all removed pixels anew at every step"
        return Engine("full", 0, nodes, without_graph or asked), None
    with multiplying(tf32=network.tf32):
        plan = network.planner.plan(
            network.graph(shape, unread=False),
            dirty_regions(maps),
            windows=regions_at_once,
            measured=engine == "auto",
            one_class=score is logit,
        )
    nodes = len(network.graph(shape, unread=False))
    if engine == "incremental":
        return Engine(engine, len(plan.head), nodes, "asked for; the plan with fewest multiply-adds"), plan
    if not plan.head:
        return Engine("full", 0, nodes, "windows would hardly save time here"), None
    return Engine("incremental", len(plan.head), nodes, "the fastest plan, as measured"), plan


def choose_for(network: Network, trajectories: Trajectories, engine: str, score: Score) -> tuple[Engine, Plan | None]:
    """The engine for these trajectories."""
    return choose(
        network,
        tuple(trajectories.images.shape[1:]),
        trajectories.maps,
        engine=engine,
        score=score,
        regions_at_once=ceil(trajectories.orders.shape[-1] / trajectories.scored.shape[-1]),
        imputes=trajectories.impute is not None,
        drops=trajectories.drops,
    )


def least_on_windows(engines: Sequence[Engine]) -> Engine:
    """The engine with fewest nodes on windows: other regions in other images may have led to another."""
    return min(engines, key=lambda engine: engine.nodes_on_windows)


def evaluate(
    network: Network,
    trajectories: Trajectories,
    score: Score,
    plan: Plan | None,
    *,
    memory: int,
    on_progress: OnProgress,
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image. Without a plan, in full."""
    if trajectories.drops:
        return evaluate_dropping(network, trajectories, score, memory=memory, on_progress=on_progress)
    if plan is None:
        return evaluate_fully(network, trajectories, score, memory=memory, on_progress=on_progress)
    return evaluate_incrementally(network, trajectories, score, plan, memory=memory, on_progress=on_progress)


def at_once(network: Network, shape: tuple[int, ...], plan: Plan | None, *, memory: int) -> int:
    """How many trajectories go side by side with a plan, or how many perturbed images at once without one."""
    return (
        network.batch_size(shape, memory) if plan is None else network.planner.trajectories_at_once(plan, memory // 2)
    )


def evaluate_fully(
    network: Network, trajectories: Trajectories, score: Score, *, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image, evaluated once per image.

    Several scores at once are a last axis.
    """
    batch_size = network.batch_size(tuple(trajectories.images.shape[1:]), memory)
    images, targets = (value.to(network.device) for value in (trajectories.images, trajectories.targets))
    imputes = trajectories.impute is not None
    perturbed = _imputed(network, trajectories) if imputes else _copied(network, trajectories, batch_size)
    steps = trajectories.scored.flatten()
    untouched = torch.cat(
        [
            scored(score, network.logits(batch), classes)
            for batch, classes in zip(images.split(batch_size), targets.split(batch_size), strict=True)
        ]
    )
    on_progress(len(images))
    scores = untouched.new_empty(len(steps), *untouched.shape[1:])
    for evaluations in torch.arange(len(steps)).split(batch_size):
        trajectory = evaluations // trajectories.scored.shape[-1]
        image, _ = trajectories.owners(trajectory)
        logits = network.evaluate(perturbed(trajectory, steps[evaluations]))
        scores[evaluations] = scored(score, logits, targets[image.to(network.device)])
        on_progress(len(evaluations))
    return trajectories.result(untouched, scores)


def _imputed(network: Network, trajectories: Trajectories) -> Perturbed:
    """Fills removed pixels from what is left."""
    impute, images = trajectories.impute, trajectories.images.to(network.device)
    assert impute is not None
    removed_at = trajectories.removed_at.to(network.device)

    def perturbed(*of: Tensor) -> Tensor:
        image, owner, removed = _asked(trajectories, removed_at, *of)
        return network.inputs(impute(images[image], removed, owner))

    return perturbed


def _copied(network: Network, trajectories: Trajectories, at_once: int) -> Perturbed:
    """Copies removed pixels from the replacement image of their image and repeat, ``at_once`` images at the most.

    All are normalised once, before anything is copied.
    """
    assert trajectories.replacements is not None
    images = network.inputs(trajectories.images)
    replacements = network.inputs(trajectories.replacements.flatten(end_dim=1))  # (n, T, …) -> (n·T, …)
    removed_at = trajectories.removed_at.to(network.device)

    def together(*of: Tensor) -> Tensor:
        image, owner, removed = _asked(trajectories, removed_at, *of)
        return torch.where(removed[:, None], replacements[owner], images[image])

    def one_by_one(trajectory: Tensor, step: Tensor) -> Tensor:
        image, owner = trajectories.owners(trajectory)
        numbers = zip(*(one.tolist() for one in (trajectory, step, image, owner)), strict=True)
        for place, (which, last, one, other) in enumerate(numbers):
            torch.where(removed_at[which] <= last, replacements[other], images[one], out=memory[place])
        return memory[: len(trajectory)]

    if not on_cpu(images):
        return together
    memory = images.new_empty(at_once, *images.shape[1:])  # the same for all batches: fresh pages take time
    return one_by_one


def _asked(
    trajectories: Trajectories, removed_at: Tensor, trajectory: Tensor, step: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, replacement and removed pixels (B, H, W) of trajectories at some steps, on the device."""
    trajectory, step = trajectory.to(removed_at.device), step.to(removed_at.device)
    return (*trajectories.owners(trajectory), removed_at[trajectory] <= step[:, None, None])
