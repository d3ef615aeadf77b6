"""Area over the perturbation curve."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation.curves import Curves


def aopc(curves: Curves | Tensor) -> Tensor:
    r"""Area over the perturbation curve of each image, averaged over repeats [Samek2017].

    .. math:: \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(0)}) - f(x^{(k)})\bigr)

    Args:
        curves: curves, or scores (N, L + 1) or (N, repeats, L + 1); column 0 is the untouched image.

    Returns:
        (N,) in the unit of the score. For most-relevant-first, higher is better.

    >>> aopc(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([0.5000])
    """
    return aopc_curve(curves)[:, -1]


def aopc_curve(curves: Curves | Tensor) -> Tensor:
    r"""AOPC of each image as a function of L = 0, 1, …, averaged over repeats; direction and unit as for ``aopc``.

    >>> aopc_curve(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([[0.0000, 0.2500, 0.5000]])
    """
    scores = curves.scores if isinstance(curves, Curves) else curves
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise InputError(f"scores must have shape (N, L + 1) or (N, repeats, L + 1), got {tuple(scores.shape)}")
    scores = scores if scores.ndim == 3 else scores[:, None]
    scores = scores if scores.is_floating_point() else scores.float()
    drops = (scores[..., :1] - scores).double()  # (N, repeats, L + 1)
    counts = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
    return (drops.cumsum(dim=-1) / counts).mean(dim=1).to(scores.dtype)
