"""How relevance passes a weighted sum: a rule, and the division that all rules have."""

from typing import Any, Protocol

import torch
from torch import Tensor

STABILISER = 1e-6


class RelevanceRule(Protocol):
    """A relevance rule of one weighted sum."""

    @property
    def bias(self) -> bool:
        """Whether biases, and other constants that are added, stand in the denominators."""

    def propagate(self, layer: Any, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:  # noqa: ANN401
        """Relevance of the inputs of a ``Weighted``, from that of the output; ``output`` is z with the bias."""


def divided(relevance: Tensor, z: Tensor, epsilon: float = STABILISER) -> Tensor:
    """R / (z + ε·sign z): the denominator is moved away from zero, upwards at zero.

    >>> divided(torch.ones(3), torch.tensor([-1.5, 0.0, 1.5]), 0.5)
    tensor([-0.5000,  2.0000,  0.5000])
    """
    # one buffer throughout: on large maps the time goes into fresh memory
    denominator = torch.copysign(torch.full((), epsilon, dtype=z.dtype, device=z.device), z).add_(z)
    return torch.div(relevance, denominator, out=denominator if z.shape == relevance.shape else None)


def split(values: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative part."""
    return values.clamp(min=0), values.clamp(max=0)
