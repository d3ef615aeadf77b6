"""Area over the perturbation curve (AOPC), and measures made of it."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.scores import ABOVE_ZERO, Scores, as_scores, check_order, mean_drop
from heatproof.perturbation.bounds import OrderBounds
from heatproof.perturbation.curves import Curves


def aopc(curves: Scores) -> Tensor:
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


def aopc_curve(curves: Scores) -> Tensor:
    r"""AOPC of each image as a function of L = 0, 1, …, averaged over repeats; direction and unit as for ``aopc``.

    Where not all steps were scored, it is estimated, without bias, for each L of ``curves.ends``.

    >>> aopc_curve(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([[0.0000, 0.2500, 0.5000]])
    """
    scores, weights = as_scores(curves)
    sums = (weights * (scores[..., :1] - scores)).cumsum(dim=-1)  # (N, repeats, L + 1)
    return (sums / weights.cumsum(dim=0)).mean(dim=1).to(_float_type(curves))


def abpc(morf: Scores, lerf: Scores) -> Tensor:
    r"""Area between the perturbation curves of each image, averaged over repeats [Samek2017].

    .. math:: \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(k)}_\mathrm{LeRF}) - f(x^{(k)}_\mathrm{MoRF})\bigr)

    It is the AOPC of MoRF minus that of LeRF, each given as for :func:`aopc`.

    Returns:
        (N,) in the unit of the score. Higher is better.

    Raises:
        InputError: for curves in another order, or scores of different shapes.

    >>> abpc(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 1.0, 0.5]]))
    tensor([0.3333])
    """
    check_order(morf, "morf", "abpc")
    check_order(lerf, "lerf", "abpc")
    (most, weights), (least, others) = as_scores(morf), as_scores(lerf)
    if least.shape != most.shape or not weights.equal(others):
        raise InputError(
            "scores of morf and lerf must have the same shape, (N, L + 1) or (N, repeats, L + 1), got "
            f"{tuple(most.shape)} and {tuple(least.shape)}"
        )
    between = (weights * (least - most)).sum(dim=-1) / weights.sum()
    return between.mean(dim=1).to(_float_type(lerf))


def relative_drop(curves: Scores) -> Tensor:
    r"""AOPC as a share of the untouched image's score: the same for logits of any scale [Samek2017].

    .. math:: \frac{1}{f(x^{(0)})} \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(0)}) - f(x^{(k)})\bigr)

    A share of nothing, or of less, says nothing: it would change its sign, or grow without end. So images with a score
    of zero or below are refused, rather than left out unseen. Where single images come close to zero, means over images
    hang on them; ``heatproof assess`` divides the means instead.

    Args:
        curves: curves, or scores, as for :func:`aopc`.

    Returns:
        (N,) without unit; 1 would be a score that falls to zero at once. For most-relevant-first, higher is better.

    Raises:
        InputError: where an untouched image has a score of zero or below.

    >>> relative_drop(torch.tensor([[4.0, 2.0, 0.0], [40.0, 20.0, 0.0]]))
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    ABOVE_ZERO.check(curves, "relative_drop")
    scores, _ = as_scores(curves)
    return (mean_drop(curves) / scores[..., 0]).mean(dim=1)


def naopc(curves: Scores, bounds: OrderBounds) -> Tensor:
    r"""AOPC between the worst and the best of all orders, so that networks can be compared [Edin2025].

    .. math:: \frac{\mathrm{AOPC} - \mathrm{lower}}{\mathrm{upper} - \mathrm{lower}}

    for each repeat, then averaged. Neither scaling nor shifting the score changes it. Where all orders are the same it
    is 1/2, so that turning the score's sign around still turns a into 1 − a.

    Args:
        curves: curves, or scores, as for :func:`aopc`, of as many steps as the bounds.
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
    drop = mean_drop(curves)  # (N, repeats)
    steps = curves.steps if isinstance(curves, Curves) else curves.shape[-1] - 1
    if bounds.lower.shape != drop.shape or bounds.steps != steps:
        raise InputError(
            f"bounds must be of (N, repeats) = {tuple(drop.shape)} and {steps} steps, "
            f"got {tuple(bounds.lower.shape)} and {bounds.steps}"
        )
    lower, upper = bounds.lower.to(drop), bounds.upper.to(drop)
    return torch.where(upper > lower, (drop - lower) / (upper - lower), 0.5).mean(dim=1)


def _float_type(curves: Scores) -> torch.dtype:
    """The type of the scores, float32 for whole numbers."""
    dtype = curves.scores.dtype if isinstance(curves, Curves) else curves.dtype
    return dtype if dtype.is_floating_point else torch.float32
