"""Which way perturbed images are evaluated."""

from math import ceil

from torch import Tensor

from heatproof.network.incremental import touched_by_regions
from heatproof.network.network import Network
from heatproof.perturbation.full import evaluate_fully
from heatproof.perturbation.incremental import evaluate_incrementally
from heatproof.perturbation.scores import Score
from heatproof.perturbation.sequences import OnProgress, Sequences

ENGINES = ("auto", "full", "incremental")


def evaluate(
    network: Network, sequences: Sequences, score: Score, *, engine: str, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image.

    Raises:
        InputError: if the incremental engine is asked for and the network has no graph.
    """
    shape = tuple(sequences.images.shape[1:])
    if engine == "full" or (engine == "auto" and network.without_graph(shape)):
        return evaluate_fully(network, sequences, score, memory=memory, on_progress=on_progress)
    windows = ceil(sequences.orders.shape[-1] / sequences.scored.shape[-1])
    plan = network.plan(shape, touched_by_regions(sequences.maps), windows=windows, measured=engine == "auto")
    if engine == "auto" and not plan.head:
        return evaluate_fully(network, sequences, score, memory=memory, on_progress=on_progress)
    return evaluate_incrementally(network, sequences, score, plan, memory=memory, on_progress=on_progress)
