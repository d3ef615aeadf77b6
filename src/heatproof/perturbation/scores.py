"""The target's score, from logits (B, classes) and targets (B,).

A target that is asked against another class is the target of a network with one logit: the difference of the two.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.against import Against, asked_logit
from heatproof.network.inputs import check_classes
from heatproof.network.network import Network
from heatproof.network.trial import NO_LOGITS
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
    """(B,) the softmax probability; of a network with one logit, the sigmoid's.

    >>> probability(torch.tensor([[0.0]]), torch.tensor([0]))
    tensor([0.5000])
    """
    return logit(logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1), targets)


@SCORES.register("log_probability")
def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the natural logarithm of the softmax probability; of a network with one logit, the sigmoid's."""
    if logits.shape[1] == 1:
        return torch.nn.functional.logsigmoid(logit(logits, targets))
    return logit(logits.log_softmax(dim=1), targets)


@SCORES.register("margin")
def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the logit minus the largest logit of another class, which may be another one at every step.

    >>> margin(torch.tensor([[1.0, 3.0, 2.5]]), torch.tensor([1]))
    tensor([0.5000])
    """
    if logits.shape[1] < 2:
        raise InputError("the margin needs a network with at least two classes")
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return logit(logits, targets) - others.amax(dim=1)


@SCORES.register("standardised_logit")
def standardised_logit(logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) the logit minus the mean of all classes, in standard deviations over the classes of the same image.

    Unlike the logit it does not change when a network's logits are all scaled or shifted. Where all logits are equal it
    is 0.

    >>> standardised_logit(torch.tensor([[1.0, 3.0, 2.0], [10.0, 30.0, 20.0]]), torch.tensor([1, 1]))
    tensor([1.2247, 1.2247])
    """
    if logits.shape[1] < 2:
        raise InputError("the standardised logit needs a network with at least two classes")
    deviation = logits.std(dim=1, correction=0).clamp_min(torch.finfo(logits.dtype).tiny)
    return (logit(logits, targets) - logits.mean(dim=1)) / deviation


def check_score(name: str, network: Network, shape: tuple[int, ...], against: Against | None = None) -> None:
    """Refuses a score that says nothing of this network, for images of ``shape`` (C, H, W), and what is no class."""
    classes = network.trial(shape).classes
    if against is not None:
        network.class_against(against, shape)
        if name in ("margin", "standardised_logit"):
            raise InputError(
                f"the score {name} compares all classes, and against compares two; choose the score logit or "
                "probability, or leave out against"
            )
        return  # log-probabilities differ as logits do
    if name == "logit" and not network.gives_logits:
        raise InputError(f"{network.name} {NO_LOGITS}; choose the score log_probability")
    if name == "standardised_logit" and classes == 2:
        raise InputError(
            "the standardised logit of two classes is 1 or −1, whatever their logits are; choose the score margin, "
            "which is their difference, or logit"
        )
    if classes == 1 and name in ("margin", "standardised_logit"):
        raise InputError(
            f"the score {name} compares classes, and {network.name} has one; choose the score logit or probability"
        )


def together(scores: Sequence[Score]) -> Score:
    """Several scores as one, (B, S), so that all are read from the same evaluations; one alone is left as it is."""
    if len(scores) == 1:
        return scores[0]
    return lambda logits, targets: torch.stack([score(logits, targets) for score in scores], dim=1)


def scored(score: Score, logits: Tensor, targets: Tensor) -> Tensor:
    """(B,) or (B, S) scores in float32 on the CPU, of logits (B, classes) and what is asked, (B,) or (B, 2) classes."""
    check_classes(targets, logits.shape[1])
    if targets.ndim > 1:
        logits, targets = asked_logit(logits, targets)[:, None], torch.zeros_like(targets[:, 0])
    return score(logits, targets).float().cpu()
