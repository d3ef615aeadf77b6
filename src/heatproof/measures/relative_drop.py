"""AOPC as a share of the untouched score."""

from torch import Tensor

from heatproof.measures.conditions import ABOVE_ZERO
from heatproof.measures.stored import as_scores
from heatproof.perturbation.curves import Curves


def relative_drop(curves: Curves | Tensor) -> Tensor:
    r"""AOPC as a share of the untouched image's score: the same for logits of any scale [Samek2017].

    .. math:: \frac{1}{f(x^{(0)})} \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(0)}) - f(x^{(k)})\bigr)

    A share of nothing, or of less, says nothing: it would change its sign, or grow without end. So images with a score
    of zero or below are refused, rather than left out unseen. Where single images come close to zero, means over images
    hang on them; ``heatproof assess`` divides the means instead.

    Args:
        curves: curves, or scores (N, L + 1) or (N, repeats, L + 1); column 0 is the untouched image.

    Returns:
        (N,) without unit; 1 would be a score that falls to zero at once. For most-relevant-first, higher is better.

    Raises:
        InputError: where an untouched image has a score of zero or below.

    >>> import torch
    >>> relative_drop(torch.tensor([[4.0, 2.0, 0.0], [40.0, 20.0, 0.0]]))
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    ABOVE_ZERO.check(curves, "relative_drop")
    scores, weights = as_scores(curves)
    drops = (weights * (scores[..., :1] - scores)).sum(dim=-1) / weights.sum()
    return (drops / scores[..., 0]).mean(dim=1)
