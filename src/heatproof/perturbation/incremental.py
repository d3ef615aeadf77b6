"""Incremental evaluation: after each step, only what the removed regions touch is evaluated again."""

from collections.abc import Iterator

import torch
from torch import Tensor

from heatproof.network.exact import multiplying
from heatproof.network.incremental import FeatureCache, IncrementalState, Plan, Tail, Values
from heatproof.network.inputs import check_classes
from heatproof.network.network import Network
from heatproof.perturbation.scores import Score, logit, scored
from heatproof.perturbation.trajectories import OnProgress, Trajectories


def evaluate_incrementally(
    network: Network, trajectories: Trajectories, score: Score, plan: Plan, *, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image; several scores are a last axis.

    A trajectory keeps what the network computed of it; as many trajectories go side by side as the memory allows.
    """
    assert plan.readout is None or score is logit, "a readout knows one logit only"
    images, begun, scores = [], [], []
    memory //= 2  # one half for trajectories, the other for evaluating whole images and the tail
    for numbers in torch.arange(len(trajectories)).split(network.planner.trajectories_at_once(plan, memory)):
        with torch.inference_mode(), multiplying(tf32=network.tf32):
            batch = _Batch(network, trajectories, score, plan, numbers, memory)
            images.append(batch.images)
            begun.append(batch.begin())
            steps = []
            for found in batch.go_on():
                steps.append(found)
                on_progress(found.shape[:2].numel())
            scores.append(torch.cat(steps, dim=1))
    on_progress(len(trajectories.images))
    untouched = begun[0].new_empty(len(trajectories.images), *begun[0].shape[1:])
    untouched[torch.cat(images)] = torch.cat(begun)
    return trajectories.result(untouched, torch.cat(scores))


class _Batch:
    """S trajectories that go side by side, and what windows around their regions hold."""

    def __init__(
        self, network: Network, trajectories: Trajectories, score: Score, plan: Plan, numbers: Tensor, memory: int
    ) -> None:
        self.score, self.readout = score, plan.readout
        image, replacement = trajectories.owners(numbers)
        self.images, self.owner = image.unique(return_inverse=True)
        used, self.replacement = replacement.unique(return_inverse=True)
        device = network.device
        self.targets = trajectories.targets[self.images].to(device)
        self.orders = trajectories.orders.flatten(end_dim=2)[numbers]
        self.scored = trajectories.scored.flatten(end_dim=2)[numbers]
        self.dirty = plan.dirty[plan.graph.input]
        self.starts = self.dirty.starts.to(device)
        self.places = {  # of each trajectory in the caches, on the device
            "before": self.owner.to(device),
            "after": self.replacement.to(device),
            "removed at": torch.arange(len(numbers), device=device),
        }
        self.first_region = trajectories.first_region[image]

        assert trajectories.replacements is not None, "what is imputed changes everywhere at every step"
        begun = network.inputs(trajectories.images[self.images])
        self.caches = {
            "before": FeatureCache.of(begun),
            "after": FeatureCache.of(network.inputs(trajectories.replacements.flatten(end_dim=1)[used])),
            "removed at": FeatureCache.of(trajectories.removed_at[numbers][:, None].to(device)),
        }
        batch_size = network.planner.unstaged_batch_size(plan.graph, memory)
        self.state = IncrementalState(plan, begun, self.owner, batch_size=batch_size)
        self.tail = Tail(self.state, network.planner.tail_batch_size(plan, memory))

    def begin(self) -> Tensor:
        """(n,) scores of the untouched images."""
        self.tail.put(self.state.untouched)
        return self._scored(self.targets)

    def go_on(self) -> Iterator[Tensor]:
        """Scores (S, k) after some of the scored steps, until all are done."""
        count, steps = self.scored.shape
        done = 0
        for number in range(steps):
            self.tail.put(self._step(number))
            if self.tail.full or number == steps - 1:
                targets = self.targets[self.places["before"].repeat(number + 1 - done)]  # (k · S)
                yield self._scored(targets).unflatten(0, (-1, count)).transpose(0, 1)
                done = number + 1

    def _scored(self, targets: Tensor) -> Tensor:
        """(B,) scores of what was put into the tail."""
        output = self.tail.finish()
        if self.readout is None:
            return scored(self.score, output, targets)
        check_classes(targets, self.readout.classes)
        target, *against = (self.readout.logit(output, asked) for asked in targets.reshape(len(targets), -1).unbind(1))
        return (target - sum(against)).float().cpu()

    def _step(self, number: int) -> Values:
        """Removes what goes until the scored step of this number."""
        step = self.scored[:, number]
        last = self.scored[:, number - 1] if number else torch.zeros_like(step)
        removed = last[:, None] + torch.arange(int((step - last).max()))  # steps that a trajectory
        removed = removed.minimum(step[:, None] - 1)  # does not take repeat its last one
        regions = (self.orders.gather(1, removed) + self.first_region[:, None]).to(self.starts.device)  # (S, T)
        limits = step.repeat_interleave(regions.shape[1])[:, None, None, None].to(self.starts.device)
        gone = self._windows("removed at", regions) <= limits
        return self.state.change(
            regions, torch.where(gone, self._windows("after", regions), self._windows("before", regions))
        )

    def _windows(self, what: str, regions: Tensor) -> Tensor:
        """(S · T, C, h, w) windows around regions (S, T), each trajectory's of its map."""
        index = self.places[what].repeat_interleave(regions.shape[1])
        return self.caches[what].read(index, self.starts[:, regions.flatten()], self.dirty.size)
