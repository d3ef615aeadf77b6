"""Scores as measures get them: of curves, or plain tensors, with how many steps each score stands for."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation.curves import Curves


def as_scores(curves: Curves | Tensor) -> tuple[Tensor, Tensor]:
    """(N, repeats, P) scores in float64, and (P,) how many steps each of them stands for.

    Scores may also be given as they are, (N, P) or (N, repeats, P), one for each step.

    >>> scores, weights = as_scores(torch.tensor([[1.0, 0.5, 0.0]]))
    >>> scores.shape, weights.tolist()
    (torch.Size([1, 1, 3]), [1.0, 1.0, 1.0])
    """
    scores = curves.scores if isinstance(curves, Curves) else curves
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise InputError(f"scores must have shape (N, L + 1) or (N, repeats, L + 1), got {tuple(scores.shape)}")
    scores = (scores if scores.ndim == 3 else scores[:, None]).double()
    if isinstance(curves, Curves):
        return scores, curves.weights.to(scores)
    return scores, torch.ones_like(scores[0, 0])


def float_type(curves: Curves | Tensor) -> torch.dtype:
    """The type of the scores, float32 for whole numbers: that of a measure's result."""
    dtype = curves.scores.dtype if isinstance(curves, Curves) else curves.dtype
    return dtype if dtype.is_floating_point else torch.float32
