"""Area between the perturbation curves."""

from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.stored import as_scores, float_type
from heatproof.perturbation.curves import Curves


def abpc(morf: Curves | Tensor, lerf: Curves | Tensor) -> Tensor:
    r"""Area between the perturbation curves of each image, averaged over repeats [Samek2017].

    .. math:: \frac{1}{L+1} \sum_{k=0}^{L} \bigl(f(x^{(k)}_\mathrm{LeRF}) - f(x^{(k)}_\mathrm{MoRF})\bigr)

    It is the AOPC of MoRF minus that of LeRF.

    Args:
        morf: curves, or scores (N, L + 1) or (N, repeats, L + 1), with the most relevant regions removed first.
        lerf: the same with the least relevant regions removed first.

    Returns:
        (N,) in the unit of the score. Higher is better.

    Raises:
        InputError: for curves in another order, or scores of different shapes.

    >>> import torch
    >>> abpc(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 1.0, 0.5]]))
    tensor([0.3333])
    """
    _check_order(morf, "morf")
    _check_order(lerf, "lerf")
    (most, weights), (least, others) = as_scores(morf), as_scores(lerf)
    if least.shape != most.shape or not weights.equal(others):
        raise InputError(
            "scores of morf and lerf must have the same shape, (N, L + 1) or (N, repeats, L + 1), got "
            f"{tuple(most.shape)} and {tuple(least.shape)}"
        )
    between = (weights * (least - most)).sum(dim=-1) / weights.sum()
    return between.mean(dim=1).to(float_type(lerf))


def _check_order(curves: Curves | Tensor, order: str) -> None:
    if isinstance(curves, Curves) and curves.order != order:
        raise InputError(f"expected curves of order {order!r}, got {curves.order!r}; abpc takes morf, then lerf")
