"""Area between the perturbation curves."""

from torch import Tensor

from heatproof.errors import InputError
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
    least, most = _scores(lerf, "lerf"), _scores(morf, "morf")
    if least.shape != most.shape or least.ndim not in (2, 3) or 0 in least.shape:
        raise InputError(
            "scores of morf and lerf must have the same shape, (N, L + 1) or (N, repeats, L + 1), got "
            f"{tuple(most.shape)} and {tuple(least.shape)}"
        )
    between = (least.double() - most.double()).mean(dim=-1)
    return (between if between.ndim == 1 else between.mean(dim=1)).to(least.dtype)


def _scores(curves: Curves | Tensor, order: str) -> Tensor:
    if isinstance(curves, Tensor):
        return curves if curves.is_floating_point() else curves.float()
    if curves.order != order:
        raise InputError(f"expected curves of order {order!r}, got {curves.order!r}; abpc takes morf, then lerf")
    return curves.scores
