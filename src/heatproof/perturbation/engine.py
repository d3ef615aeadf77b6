"""Full evaluation: every perturbed image goes through the whole network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from heatproof.network.network import Network, check_classes
from heatproof.perturbation.scores import Score

OnProgress = Callable[[int], None]  # called with the number of evaluations since the last call


@dataclass(frozen=True)
class Sequences:
    """Perturbation sequences of a block of n images, M orders and T repeats.

    Attributes:
        images: (n, C, H, W) in [0, 1].
        replacements: (n, T, C, H, W) what removed pixels become.
        regions: (n, H, W) region indices, −1 = never removed.
        orders: (n, M, T, L) region indices, first removed first.
        targets: (n,) class indices.
    """

    images: Tensor
    replacements: Tensor
    regions: Tensor
    orders: Tensor
    targets: Tensor


def evaluate_fully(
    network: Network, sequences: Sequences, score: Score, *, batch_size: int, on_progress: OnProgress
) -> Tensor:
    """(n, M, T, L + 1) scores in float32 on the CPU; step 0 is the untouched image, evaluated once per image."""
    count, orders, repeats, steps = sequences.orders.shape
    device = network.device
    images, targets = sequences.images.to(device), sequences.targets.to(device)
    replacements = sequences.replacements.to(device).flatten(end_dim=1)  # (n, T, …) -> (n·T, …)
    removed_at = removal_steps(sequences).to(device).flatten(end_dim=2)  # (n, M, T, H, W) -> (n·M·T, H, W)
    untouched = torch.cat(
        [
            _scored(network, score, *pair)
            for pair in zip(images.split(batch_size), targets.split(batch_size), strict=True)
        ]
    )
    on_progress(count)
    scores = torch.empty(len(removed_at) * steps)
    for evaluations in torch.arange(len(scores), device=device).split(batch_size):
        sequence, step = evaluations // steps, evaluations % steps + 1
        image, repeat = sequence // (orders * repeats), sequence % repeats
        removed = removed_at[sequence] <= step[:, None, None]  # (B, H, W), True where a pixel is removed
        perturbed = torch.where(removed[:, None], replacements[image * repeats + repeat], images[image])
        scores[evaluations.cpu()] = _scored(network, score, perturbed, targets[image])
        on_progress(len(evaluations))
    first = untouched[:, None, None, None].expand(count, orders, repeats, 1)
    return torch.cat([first, scores.reshape(count, orders, repeats, steps)], dim=-1)


def removal_steps(sequences: Sequences) -> Tensor:
    """(n, M, T, H, W) the step, from 1, at which each pixel is removed; L + 1 for pixels that stay."""
    count, orders, repeats, steps = sequences.orders.shape
    number = int(sequences.regions.max()) + 1
    step_of_region = torch.full((count, orders, repeats, number + 1), steps + 1)  # the last entry is for region −1
    step_of_region.scatter_(3, sequences.orders, torch.arange(1, steps + 1).expand(sequences.orders.shape))
    index = torch.where(sequences.regions < 0, number, sequences.regions).flatten(start_dim=1)
    gathered = step_of_region.gather(3, index[:, None, None].expand(count, orders, repeats, -1))
    return gathered.reshape(count, orders, repeats, *sequences.regions.shape[1:])


def _scored(network: Network, score: Score, images: Tensor, targets: Tensor) -> Tensor:
    logits = network.logits(images)
    check_classes(targets, logits)
    return score(logits, targets).float().cpu()
