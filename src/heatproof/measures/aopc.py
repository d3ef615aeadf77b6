"""Area over the perturbation curve."""

from torch import Tensor

from heatproof.measures.stored import as_scores, float_type
from heatproof.perturbation.curves import Curves


def aopc(curves: Curves | Tensor) -> Tensor:
    r"""Area over the perturbation curve of each image, averaged over repeats [Samek2017].

    .. math:: \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(0)}) - f(x^{(k)})\bigr)

    Args:
        curves: curves, or scores (N, L + 1) or (N, repeats, L + 1); column 0 is the untouched image.

    Returns:
        (N,) in the unit of the score. For most-relevant-first, higher is better.

    >>> import torch
    >>> aopc(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([0.5000])
    """
    return aopc_curve(curves)[:, -1]


def aopc_curve(curves: Curves | Tensor) -> Tensor:
    r"""AOPC of each image as a function of L = 0, 1, …, averaged over repeats; direction and unit as for ``aopc``.

    Where not all steps were scored, it is estimated, without bias, for each L of ``curves.ends``.

    >>> import torch
    >>> aopc_curve(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([[0.0000, 0.2500, 0.5000]])
    """
    scores, weights = as_scores(curves)
    sums = (weights * (scores[..., :1] - scores)).cumsum(dim=-1)  # (N, repeats, L + 1)
    return (sums / weights.cumsum(dim=0)).mean(dim=1).to(float_type(curves))
