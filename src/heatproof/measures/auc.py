"""Areas under curves over the removed fraction: deletion and insertion."""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.conditions import ALL_REGIONS
from heatproof.measures.stored import as_scores
from heatproof.perturbation.curves import Curves


def deletion_auc(morf: Curves | Tensor) -> Tensor:
    r"""Area under the curve while the most relevant regions go first, to full removal [Petsiuk2018].

    .. math:: \int_0^1 f(x_\mathrm{MoRF}(s))\,ds
        = \sum_{k=1}^{L} (s_k - s_{k-1})\, \frac{f(x^{(k)}) + f(x^{(k-1)})}{2}

    s is the removed share of all that regions cover: a grid's border, which never goes, does not count.

    Args:
        morf: curves, or scores (N, L + 1) or (N, repeats, L + 1) of regions of equal size, all of which are removed.

    Returns:
        (N,) in the unit of the score, averaged over repeats. Lower is better. Where steps were sampled, an unbiased
        estimate.

    Raises:
        InputError: for curves that stop before full removal, or of another order.

    >>> deletion_auc(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([0.5000], dtype=torch.float64)
    """
    return _auc(morf, "morf", "deletion_auc")


def insertion_auc(lerf: Curves | Tensor) -> Tensor:
    r"""Area under the curve while the most relevant regions are put back first [Petsiuk2018].

    .. math:: \int_0^1 f(x_\mathrm{insertion}(s))\,ds = \int_0^1 f(x_\mathrm{LeRF}(s))\,ds

    Putting regions back, most relevant first, passes through the images of LeRF, last one first, as long as an image
    with some regions removed does not depend on their order. So it does for all replacements here.

    Args:
        lerf: curves with the least relevant regions removed first; or scores, as for ``deletion_auc``.

    Returns:
        (N,) in the unit of the score, averaged over repeats. Higher is better. Where steps were sampled, an unbiased
        estimate.

    Raises:
        InputError: for curves that stop before full removal, or of another order.

    >>> insertion_auc(torch.tensor([[1.0, 1.0, 0.0]]))
    tensor([0.7500], dtype=torch.float64)
    """
    return _auc(lerf, "lerf", "insertion_auc")


def area_under(curves: Curves | Tensor, positions: Tensor) -> Tensor:
    """(N, repeats) trapezoids under the scores at positions (N, 1 or repeats, L + 1), ascending along the steps.

    A score's share is half of the way between its neighbours, at the ends to the only one. Sampled scores stand for
    their stratum. Since shares differ, those of the sampled steps do not add up to the whole way; the untouched image,
    whose score is always known, takes what is missing. So the area is estimated without bias, and exactly where the
    curve is constant.
    """
    scores, weights = as_scores(curves)
    before = torch.cat([positions[..., :1], positions[..., :-1]], dim=-1)
    after = torch.cat([positions[..., 1:], positions[..., -1:]], dim=-1)
    shares = ((after - before) / 2).to(scores).expand(*scores.shape[:2], -1)
    if isinstance(curves, Curves):
        shares = shares.gather(2, curves.scored.to(shares.device))
    shares = weights * shares
    if isinstance(curves, Curves) and scores.shape[-1] <= curves.steps:  # steps were sampled
        untouched = scores[..., 0]
        whole = (positions[..., -1] - positions[..., 0]).to(scores)
        return whole * untouched + (shares * (scores - untouched[..., None])).sum(dim=-1)
    return (shares * scores).sum(dim=-1)


def removed_share(curves: Curves | Tensor) -> Tensor:
    """(N or 1, 1 or repeats, L + 1) the removed share of all that is removed in the end, from 0 to 1."""
    if isinstance(curves, Tensor):
        return torch.linspace(0, 1, curves.shape[-1], dtype=torch.float64, device=curves.device)[None, None]
    removed = curves.removed_fraction.double()
    return removed / removed[..., -1:]


def check_order(curves: Curves | Tensor, order: str, measure: str) -> None:
    """Refuses curves of another order."""
    if isinstance(curves, Curves) and curves.order != order:
        raise InputError(f"{measure} needs curves of order {order!r}, got {curves.order!r}")


def area_to_full_removal(curves: Curves | Tensor, measure: str) -> Tensor:
    """(N,) area under curves of any order over the removed share, averaged over repeats."""
    ALL_REGIONS.check(curves, measure)
    return area_under(curves, removed_share(curves)).mean(dim=1)


def _auc(curves: Curves | Tensor, order: str, measure: str) -> Tensor:
    check_order(curves, order, measure)
    return area_to_full_removal(curves, measure)
