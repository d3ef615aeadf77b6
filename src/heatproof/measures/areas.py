"""Areas under curves over the removed share, to full removal: deletion, insertion, and differences of orders.

Curves are given as such, of the order that the argument's name says, or as scores (N, L + 1) or (N, repeats, L + 1) of
regions of equal size, all of which are removed. Values (N,) are averaged over repeats; where steps were sampled, they
are unbiased estimates. InputError refuses curves that stop before full removal, of another order, or, where there are
two, of different images.
"""

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.scores import ALL_REGIONS, Scores, as_scores, check_order
from heatproof.perturbation.curves import Curves


def deletion_auc(morf: Scores) -> Tensor:
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


def insertion_auc(lerf: Scores) -> Tensor:
    r"""Area under the curve while the most relevant regions are put back first [Petsiuk2018].

    .. math:: \int_0^1 f(x_\mathrm{insertion}(s))\,ds = \int_0^1 f(x_\mathrm{LeRF}(s))\,ds

    Putting regions back, most relevant first, passes through the images of LeRF, last one first, as long as an image
    with some regions removed does not depend on their order. So it does for all replacements here. Returns (N,) in the
    unit of the score. Higher is better. For the rest see :func:`deletion_auc`.

    >>> insertion_auc(torch.tensor([[1.0, 1.0, 0.0]]))
    tensor([0.7500], dtype=torch.float64)
    """
    return _auc(lerf, "lerf", "insertion_auc")


def srg(morf: Scores, lerf: Scores) -> Tensor:
    r"""Symmetric relevance gain: the area between the LeRF and MoRF curves to full removal [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{LeRF}(s)) - f(x_\mathrm{MoRF}(s))\,ds

    over the removed share s (trapezoids). It is insertion AUC − deletion AUC, and MRG + LRG. With regions of equal size
    it is (L + 1) / L times ABPC, since both curves begin and end alike. The source takes probabilities. Returns (N,) in
    the unit of the score. Higher is better. For the rest see :func:`deletion_auc`; images must be the same in both.

    >>> srg(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    tensor([0.2500], dtype=torch.float64)
    """
    return _gain(lerf, "lerf", morf, "morf", "srg")


def mrg(morf: Scores, random: Scores) -> Tensor:
    r"""Most relevant first gain: the area between the random order's curve and that of MoRF [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{random}(s)) - f(x_\mathrm{MoRF}(s))\,ds

    Returns (N,) in the unit of the score. Higher is better. For the rest see :func:`srg`.

    >>> mrg(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 0.75, 0.0]]))
    tensor([0.1250], dtype=torch.float64)
    """
    return _gain(random, "random", morf, "morf", "mrg")


def lrg(lerf: Scores, random: Scores) -> Tensor:
    r"""Least relevant first gain: the area between the LeRF curve and that of the random order [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{LeRF}(s)) - f(x_\mathrm{random}(s))\,ds

    Returns (N,) in the unit of the score. Higher is better. For the rest see :func:`srg`.

    >>> lrg(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.75, 0.0]]))
    tensor([0.1250], dtype=torch.float64)
    """
    return _gain(lerf, "lerf", random, "random", "lrg")


def r_oms(random: Scores) -> Tensor:
    r"""Reference out-of-model-scope score: the predicted class's probability while random regions go [Bluecher2024].

    .. math:: \int_0^1 p\bigl(\hat y \mid x_\mathrm{random}(s)\bigr)\,ds, \quad \hat y = \arg\max_y p(y \mid x)

    over the removed share s of all regions (trapezoids). The closer to 1, the longer the network still sees what it saw
    in the untouched image: removing regions this way leaves images in its scope. The closer to 0, the sooner it is
    lost, whatever is removed: there, scores tell little about the regions. A replacement that removes little, as blur
    does, also comes near 1. Replacements are compared on the same images, with the same order.

    Args:
        random: curves of the probability in random order, or such probabilities, as for :func:`deletion_auc`.

    Returns:
        (N,) between 0 and 1, no unit. Higher is nearer to the model's scope. For the rest see :func:`deletion_auc`.

    Raises:
        InputError: for curves that stop before full removal, of another order, or of another score.

    >>> r_oms(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([0.5000], dtype=torch.float64)
    """
    if isinstance(random, Curves) and random.protocol.score != "probability":
        raise InputError(f"r_oms needs curves of the score 'probability', got {random.protocol.score!r}")
    return _auc(random, "random", "r_oms")


def area_under(curves: Scores, positions: Tensor) -> Tensor:
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


def removed_share(curves: Scores) -> Tensor:
    """(N or 1, 1 or repeats, L + 1) the removed share of all that is removed in the end, from 0 to 1."""
    if isinstance(curves, Tensor):
        return torch.linspace(0, 1, curves.shape[-1], dtype=torch.float64, device=curves.device)[None, None]
    removed = curves.removed_fraction.double()
    return removed / removed[..., -1:]


def _auc(curves: Scores, order: str, measure: str) -> Tensor:
    """(N,) area under curves of this order over the removed share, averaged over repeats."""
    check_order(curves, order, measure)
    ALL_REGIONS.check(curves, measure)
    return area_under(curves, removed_share(curves)).mean(dim=1)


def _gain(above: Scores, over: str, below: Scores, under: str, measure: str) -> Tensor:
    """(N,) area between the curves of two orders."""
    first, second = _auc(above, over, measure), _auc(below, under, measure)
    same = not (isinstance(above, Curves) and isinstance(below, Curves)) or above.images == below.images
    if first.shape != second.shape or not same:
        raise InputError(
            f"{measure} needs curves of the same images, got {len(second)} in {under} and {len(first)} in {over}"
            + (", but not the same" if len(first) == len(second) else "")
        )
    return first - second
