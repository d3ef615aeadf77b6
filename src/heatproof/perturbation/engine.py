"""Which way perturbed images are evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from torch import Tensor

from heatproof.network.incremental import Plan, dirty_regions
from heatproof.network.network import Network
from heatproof.perturbation.full import evaluate_fully
from heatproof.perturbation.incremental import evaluate_incrementally, sequences_at_once
from heatproof.perturbation.scores import Score, logit
from heatproof.perturbation.sequences import OnProgress, Sequences

ENGINES = ("auto", "full", "incremental")


@dataclass(frozen=True)
class Engine:
    """Which engine evaluates perturbed images, and why.

    Attributes:
        name: "full" or "incremental".
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
) -> tuple[Engine, Plan | None]:
    """The engine for images of ``shape`` with these maps of regions (n, H, W), and its plan, if it is incremental.

    Raises:
        InputError: if the incremental engine is asked for and the network has no graph.
    """
    without_graph = network.without_graph(shape)
    if engine == "full" or (engine == "auto" and (without_graph or imputes)):
        nodes = 0 if without_graph else len(network.graph(shape))
        asked = "asked for" if engine == "full" else "this replacement fills all removed pixels anew at every step"
        return Engine("full", 0, nodes, without_graph or asked), None
    plan = network.planner.plan(
        network.graph(shape),
        dirty_regions(maps),
        windows=regions_at_once,
        measured=engine == "auto",
        one_class=score is logit,
    )
    nodes = len(network.graph(shape))
    if engine == "incremental":
        return Engine(engine, len(plan.head), nodes, "asked for; the plan with fewest multiply-adds"), plan
    if not plan.head:
        return Engine("full", 0, nodes, "windows would hardly save time here, as measured"), None
    return Engine("incremental", len(plan.head), nodes, "the fastest plan, as measured"), plan


def choose_for(network: Network, sequences: Sequences, engine: str, score: Score) -> tuple[Engine, Plan | None]:
    """The engine for these sequences."""
    at_once = ceil(sequences.orders.shape[-1] / sequences.scored.shape[-1])
    shape = tuple(sequences.images.shape[1:])
    imputes = sequences.impute is not None
    return choose(network, shape, sequences.maps, engine=engine, score=score, regions_at_once=at_once, imputes=imputes)


def least_on_windows(engines: Sequence[Engine]) -> Engine:
    """The engine with fewest nodes on windows: other regions in other images may have led to another."""
    return min(engines, key=lambda engine: engine.nodes_on_windows)


def evaluate(
    network: Network, sequences: Sequences, score: Score, plan: Plan | None, *, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image. Without a plan, in full."""
    if plan is None:
        return evaluate_fully(network, sequences, score, memory=memory, on_progress=on_progress)
    return evaluate_incrementally(network, sequences, score, plan, memory=memory, on_progress=on_progress)


def at_once(network: Network, shape: tuple[int, ...], plan: Plan | None, *, memory: int) -> int:
    """How many sequences go side by side with a plan, or how many perturbed images at once without one."""
    return network.batch_size(shape, memory) if plan is None else sequences_at_once(network, plan, memory)
