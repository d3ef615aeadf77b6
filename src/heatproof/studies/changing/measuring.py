"""What is measured of heatmaps that are made again: of disturbed images, or by a network whose weights are shuffled."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from heatproof.heatmaps import explain_batches
from heatproof.heatmaps.explaining import Explained
from heatproof.measures.changing import rank_agreement, relative_change
from heatproof.network.network import Network
from heatproof.options.changing import RandomisationOptions, StabilityOptions
from heatproof.options.perturbing import OnProgress
from heatproof.results.changing import RELEVANCE
from heatproof.results.measured import Measured
from heatproof.studies.changing.disturbances import DISTURBANCES
from heatproof.studies.task import Task


def changed_measures(task: Task, where: slice, batch: Explained, on_progress: OnProgress) -> Measured:
    """What is measured of some of the task's images, whose heatmaps are at hand, by method; all of it is finite."""
    again = Again(task, where, batch, on_progress)
    if isinstance(task.changing, StabilityOptions):
        return _stability(again, task.changing)
    assert isinstance(task.changing, RandomisationOptions)
    return _randomisation(again, task.changing)


@dataclass(frozen=True)
class Again:
    """Makes heatmaps of some images again.

    Attributes:
        task: which methods.
        where: which of its images.
        batch: with their heatmaps and targets.
        on_progress: called with the number of images that were explained.
    """

    task: Task
    where: slice
    batch: Explained
    on_progress: OnProgress
    heatmaps: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "heatmaps", _as_arrays(self.batch.heatmaps))

    @property
    def images(self) -> Tensor:
        """(n, C, H, W) the images."""
        return self.task.images[self.where]

    def made(self, network: Network, images: Tensor) -> tuple[dict[str, np.ndarray], Tensor]:
        """Heatmaps (n, H, W) of images in the place of the task's, for the same targets, by method; and scores (n,)."""
        protocol, targets = self.task.protocol, self.batch.targets
        batches = list(explain_batches(network, images, self.task.computed, targets=targets, memory=protocol.memory))
        self.on_progress(len(images))
        joined = {name: torch.cat([one.heatmaps[name] for one in batches]) for name in self.task.computed}
        return _as_arrays(joined), torch.cat([one.scores for one in batches])

    def predicted(self, images: Tensor) -> np.ndarray:
        """(n,) the predicted classes of images."""
        return self.task.network.predict(images, memory=self.task.protocol.memory).cpu().numpy()


def _stability(again: Again, options: StabilityOptions) -> Measured:
    """Means over the disturbed images that count, by kind of disturbance; zeros where none does."""
    found = {name: _relevance(maps, margin=options.shift) for name, maps in again.heatmaps.items()}
    for kind in DISTURBANCES:
        for name, values in _under(again, options, kind).items():
            found[name] |= values
    return found


def _under(again: Again, options: StabilityOptions, kind: str) -> Measured:
    """The same for one kind of disturbance."""
    classes, scores = again.predicted(again.images), again.batch.scores.double().cpu().numpy()
    ids = again.task.identities[again.where]
    counts, moves = [], []
    changes: dict[str, list[np.ndarray]] = {name: [] for name in again.heatmaps}
    agreements: dict[str, list[np.ndarray]] = {name: [] for name in again.heatmaps}
    for draw in range(options.draws):
        disturbed = DISTURBANCES[kind](again.images, ids, options, draw)
        others, score = again.made(again.task.network, disturbed.images)
        moves.append(_relative(score.double().cpu().numpy(), scores))
        counts.append((again.predicted(disturbed.images) == classes) & (moves[-1] <= options.tolerance))
        for name, maps in others.items():
            pair = disturbed.aligned(again.heatmaps[name], maps)
            changes[name].append(np.nan_to_num(relative_change(*pair)))
            agreements[name].append(rank_agreement(*pair))
    about = {f"{kind} counted": np.stack(counts).sum(axis=0).astype(float), f"{kind} score": _mean(moves, counts)}
    return {
        name: about
        | {f"{kind} change": _mean(changes[name], counts), f"{kind} correlation": _mean(agreements[name], counts)}
        for name in again.heatmaps
    }


def _relative(scores: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(n,) by which share of itself each score changed; infinite for one that was zero."""
    change = np.abs(scores - before)
    shares: np.ndarray = np.divide(change, np.abs(before), out=np.full(len(before), np.inf), where=before != 0)
    return shares


def _mean(values: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) means of values of each draw over the draws that count; 0 where none does."""
    kept = np.stack(counts)
    means: np.ndarray = np.where(kept, np.stack(values), 0).sum(axis=0) / np.maximum(kept.sum(axis=0), 1)
    return means


def _randomisation(again: Again, options: RandomisationOptions) -> Measured:
    """Rank correlation of |relevance| with that by the network with shuffled weights, by step of the cascade."""
    task = again.task
    found = {name: _relevance(maps) for name, maps in again.heatmaps.items()}
    for step in task.network.cascade(task.shape, options.groups):
        others, _ = again.made(task.network.randomised(options.seed, step.parameters), again.images)
        for name, maps in others.items():
            found[name][str(step)] = rank_agreement(np.abs(again.heatmaps[name]), np.abs(maps))
    return found


def _relevance(heatmaps: np.ndarray, *, margin: int = 0) -> dict[str, np.ndarray]:
    """Whether each heatmap (n, H, W) has relevance beside the edges that are not compared."""
    height, width = heatmaps.shape[1:]
    inner = heatmaps[:, margin : height - margin, margin : width - margin]
    return {RELEVANCE: np.any(inner != 0, axis=(1, 2)).astype(np.float64)}


def _as_arrays(heatmaps: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: maps.float().cpu().numpy() for name, maps in heatmaps.items()}
