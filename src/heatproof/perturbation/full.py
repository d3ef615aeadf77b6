"""Full evaluation: every perturbed image goes through the whole network."""

import torch
from torch import Tensor

from heatproof.network.network import Network
from heatproof.perturbation.scores import Score, scored
from heatproof.perturbation.sequences import Impute, OnProgress, Sequences


def evaluate_fully(
    network: Network, sequences: Sequences, score: Score, *, memory: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, K + 1) scores in float32 on the CPU; step 0 is the untouched image, evaluated once per image.

    Several scores at once are a last axis.
    """
    batch_size = network.batch_size(tuple(sequences.images.shape[1:]), memory)
    device = network.device
    images, targets = sequences.images.to(device), sequences.targets.to(device)
    impute = sequences.impute or _copying(sequences, device)
    removed_at = sequences.removed_at.to(device)
    steps = sequences.scored.flatten().to(device)
    untouched = torch.cat(
        [
            scored(score, network.logits(batch), classes)
            for batch, classes in zip(images.split(batch_size), targets.split(batch_size), strict=True)
        ]
    )
    on_progress(len(images))
    scores = untouched.new_empty(len(steps), *untouched.shape[1:])
    for evaluations in torch.arange(len(steps), device=device).split(batch_size):
        sequence = evaluations // sequences.scored.shape[-1]
        image, owner = sequences.owners(sequence)
        removed = removed_at[sequence] <= steps[evaluations][:, None, None]  # (B, H, W), True where a pixel is removed
        perturbed = impute(images[image], removed, owner)
        scores[evaluations.cpu()] = scored(score, network.logits(perturbed), targets[image])
        on_progress(len(evaluations))
    return sequences.result(untouched, scores)


def _copying(sequences: Sequences, device: torch.device) -> Impute:
    """Copies removed pixels from the replacement image of their image and repeat."""
    assert sequences.replacements is not None
    replacements = sequences.replacements.to(device).flatten(end_dim=1)  # (n, T, …) -> (n·T, …)
    return lambda images, removed, owners: torch.where(removed[:, None], replacements[owners], images)
