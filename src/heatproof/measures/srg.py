"""Symmetric relevance gain, and its two halves against the random order."""

from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.auc import area_to_full_removal, check_order
from heatproof.perturbation.curves import Curves


def srg(morf: Curves | Tensor, lerf: Curves | Tensor) -> Tensor:
    r"""Symmetric relevance gain: the area between the LeRF and MoRF curves to full removal [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{LeRF}(s)) - f(x_\mathrm{MoRF}(s))\,ds

    over the removed share s (trapezoids). It is insertion AUC − deletion AUC, and MRG + LRG. With regions of equal size
    it is (L + 1) / L times ABPC, since both curves begin and end alike. The source takes probabilities.

    Args:
        morf: curves, or scores (N, L + 1) or (N, repeats, L + 1) of regions of equal size, all of which are removed.
        lerf: the same with the least relevant regions removed first.

    Returns:
        (N,) in the unit of the score. Higher is better. Where steps were sampled, an unbiased estimate.

    Raises:
        InputError: for curves that stop before full removal, of other orders, or of different images.

    >>> import torch
    >>> srg(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    tensor([0.2500], dtype=torch.float64)
    """
    return _gain(lerf, "lerf", morf, "morf", "srg")


def mrg(morf: Curves | Tensor, random: Curves | Tensor) -> Tensor:
    r"""Most relevant first gain: the area between the random order's curve and that of MoRF [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{random}(s)) - f(x_\mathrm{MoRF}(s))\,ds

    Returns:
        (N,) in the unit of the score. Higher is better. For the rest see ``srg``.

    >>> import torch
    >>> mrg(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[1.0, 0.75, 0.0]]))
    tensor([0.1250], dtype=torch.float64)
    """
    return _gain(random, "random", morf, "morf", "mrg")


def lrg(lerf: Curves | Tensor, random: Curves | Tensor) -> Tensor:
    r"""Least relevant first gain: the area between the LeRF curve and that of the random order [Bluecher2024].

    .. math:: \int_0^1 f(x_\mathrm{LeRF}(s)) - f(x_\mathrm{random}(s))\,ds

    Returns:
        (N,) in the unit of the score. Higher is better. For the rest see ``srg``.

    >>> import torch
    >>> lrg(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.75, 0.0]]))
    tensor([0.1250], dtype=torch.float64)
    """
    return _gain(lerf, "lerf", random, "random", "lrg")


def _gain(above: Curves | Tensor, over: str, below: Curves | Tensor, under: str, measure: str) -> Tensor:
    """(N,) area between the curves of two orders."""
    for curves, order in ((above, over), (below, under)):
        check_order(curves, order, measure)
    first, second = area_to_full_removal(above, measure), area_to_full_removal(below, measure)
    same = not (isinstance(above, Curves) and isinstance(below, Curves)) or above.images == below.images
    if first.shape != second.shape or not same:
        raise InputError(
            f"{measure} needs curves of the same images, got {len(second)} in {under} and {len(first)} in {over}"
            + (", but not the same" if len(first) == len(second) else "")
        )
    return first - second
