"""The target's score, from logits (B, classes) and targets (B,)."""

from collections.abc import Callable

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.network import check_classes
from heatproof.registry import Registry

Score = Callable[[Tensor, Tensor], Tensor]

SCORES: Registry[Score] = Registry("score")


@SCORES.register("logit")
def logit(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the score before the softmax: the paper's f(x) [Samek2017].

    >>> logit(torch.tensor([[1.0, 3.0]]), torch.tensor([1]))
    tensor([3.])
    """
    return logits.gather(1, targets[:, None])[:, 0]


@SCORES.register("probability")
def probability(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the softmax probability."""
    return logit(logits.softmax(dim=1), targets)


@SCORES.register("log_probability")
def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the natural logarithm of the softmax probability."""
    return logit(logits.log_softmax(dim=1), targets)


@SCORES.register("margin")
def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the logit minus the largest logit of another class.

    >>> margin(torch.tensor([[1.0, 3.0, 2.5]]), torch.tensor([1]))
    tensor([0.5000])
    """
    if logits.shape[1] < 2:
        raise InputError("the margin needs a network with at least two classes")
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return logit(logits, targets) - others.amax(dim=1)


def scored(score: Score, logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) scores in float32 on the CPU, of logits (B, classes) and targets (B,) that are classes."""
    check_classes(targets, logits.shape[1])
    return score(logits, targets).float().cpu()
