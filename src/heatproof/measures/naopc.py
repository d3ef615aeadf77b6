"""AOPC between those of the worst and the best order."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.stored import as_scores
from heatproof.perturbation.bounds import OrderBounds
from heatproof.perturbation.curves import Curves


def naopc(curves: Curves | Tensor, bounds: OrderBounds) -> Tensor:
    r"""AOPC between the worst and the best of all orders, so that networks can be compared [Edin2025].

    .. math:: \frac{\mathrm{AOPC} - \mathrm{lower}}{\mathrm{upper} - \mathrm{lower}}

    for each repeat, then averaged. Neither scaling nor shifting the score changes it. Where all orders are the same it
    is 1/2, so that turning the score's sign around still turns a into 1 − a.

    Args:
        curves: curves, or scores (N, L + 1) or (N, repeats, L + 1), of as many steps as the bounds.
        bounds: of the same images and repeats (``order_bounds``, which evaluates the network).

    Returns:
        (N,) without unit. For most-relevant-first, higher is better. From 0 to 1 if the bounds are exact and all steps
        were scored; a beam search may miss better orders, and an estimate from sampled steps scatters.

    Raises:
        InputError: for bounds of other images, repeats or steps.

    >>> bounds = OrderBounds(torch.tensor([[0.25]]), torch.tensor([[0.75]]), steps=2, evaluations=3, exact=True)
    >>> naopc(torch.tensor([[1.0, 0.5, 0.0]]), bounds)
    tensor([0.5000], dtype=torch.float64)
    """
    scores, weights = as_scores(curves)
    steps = curves.steps if isinstance(curves, Curves) else scores.shape[-1] - 1
    if bounds.lower.shape != scores.shape[:2] or bounds.steps != steps:
        raise InputError(
            f"bounds must be of (N, repeats) = {tuple(scores.shape[:2])} and {steps} steps, "
            f"got {tuple(bounds.lower.shape)} and {bounds.steps}"
        )
    aopc = (weights * (scores[..., :1] - scores)).sum(dim=-1) / weights.sum()  # (N, repeats)
    lower, upper = bounds.lower.to(aopc), bounds.upper.to(aopc)
    between = torch.where(upper > lower, (aopc - lower) / (upper - lower), 0.5)
    return between.mean(dim=1)
