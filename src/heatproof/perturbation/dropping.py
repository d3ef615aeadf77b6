"""Dropped tokens: a vision transformer does without the tokens of removed patches, and nothing takes their place.

What a patch shows is gone, and nothing is put there that the network never saw [Jain2022]. Leaving tokens out equals
masking their keys in every attention, and costs less the more is removed. Regions consist of whole patches
(``patches.py``).
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.exact import multiplying
from heatproof.network.forward import check_logits
from heatproof.network.network import Network
from heatproof.perturbation.patches import regions_of_patches
from heatproof.perturbation.scores import Score, scored
from heatproof.perturbation.trajectories import OnProgress, Trajectories


class Remaining:
    """Images (n, C, H, W) of which a network reads some patches only; their tokens are computed once."""

    def __init__(self, network: Network, images: Tensor, *, memory: int) -> None:
        shape = (images.shape[1], images.shape[2], images.shape[3])
        self.tokens, self.at_once = network.tokens(shape), network.batch_size(shape, memory)
        self.tf32 = network.tf32
        with torch.inference_mode(), multiplying(tf32=self.tf32):
            inputs = [network.inputs(batch) for batch in images.split(self.at_once)]
            embedded = [self.tokens.embed(one.contiguous(memory_format=torch.channels_last)) for one in inputs]
        self.embedded = torch.cat(embedded)

    def batches(self, removed: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Evaluations side by side: their numbers (b,), and the patches (b, k) that are left.

        Sequences of equal length go together, as many as take the memory of whole ones; ``removed`` is (E, patches).

        Raises:
            InputError: if nothing would be left of some.
        """
        left = (~removed).sum(dim=1)
        for count in left.unique().tolist():
            if count < self.tokens.least:
                raise InputError(
                    "the network has no token but those of patches, so that its score is not defined where all of "
                    "them are removed: give a number of steps that leaves a region"
                )
            members = (left == count).nonzero()[:, 0]
            for numbers in members.split(max(1, self.at_once * removed.shape[1] // max(1, count))):
                yield numbers, (~removed[numbers]).nonzero()[:, 1].reshape(len(numbers), count)

    def logits(self, images: Tensor, patches: Tensor) -> Tensor:
        """(b, classes) of images, by number (b,), with these patches (b, k) only."""
        device = self.embedded.device
        with torch.inference_mode(), multiplying(tf32=self.tf32):
            return check_logits(self.tokens.evaluate(self.embedded[images.to(device)], patches.to(device)))


def evaluate_dropping(
    network: Network, trajectories: Trajectories, score: Score, *, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image, evaluated once per image.

    Several scores at once are a last axis.
    """
    remaining = Remaining(network, trajectories.images.to(network.device), memory=memory)
    targets = trajectories.targets.to(network.device)
    whole = torch.zeros(len(targets), remaining.tokens.grid.count, dtype=torch.bool)
    untouched = torch.cat(
        [scored(score, remaining.logits(numbers, left), targets[numbers]) for numbers, left in remaining.batches(whole)]
    )
    on_progress(len(targets))
    patches = replace(trajectories, regions=regions_of_patches(trajectories.regions, remaining.tokens.grid))
    removed_at = patches.removed_at.flatten(start_dim=1)  # (n · M · T, patches)
    steps = trajectories.scored.flatten()
    trajectory = torch.arange(len(steps)) // trajectories.scored.shape[-1]
    image, _ = trajectories.owners(trajectory)
    scores = untouched.new_empty(len(steps), *untouched.shape[1:])
    for numbers, left in remaining.batches(removed_at[trajectory] <= steps[:, None]):
        scores[numbers] = scored(score, remaining.logits(image[numbers], left), targets[image[numbers]])
        on_progress(len(numbers))
    return trajectories.result(untouched, scores)
