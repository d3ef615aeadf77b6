"""Whether relevance says how much a region is worth, not only which one is worth more."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.agreement import pearson, spearman
from heatproof.measures.scores import ALL_STEPS
from heatproof.perturbation.curves import Curves


def calibration(curves: Curves, relevance: Sequence[np.ndarray] | Tensor) -> Tensor:
    r"""Correlation of each step's drop with the relevance of the region that it removes [Gomez2022].

    .. math:: \operatorname{corr}_{k=1 \ldots L} \bigl(f(x^{(k-1)}) - f(x^{(k)}),\; h_{r_k}\bigr)

    Pearson's, so that sizes of relevance count, which all measures of an order ignore. Where all relevance is the same,
    or nothing makes the score move, it is 0: no relation was shown.

    Args:
        curves: of any order, with the score after every step.
        relevance: (R,) for each image: the heatmap summed over each region (``relevance_of_regions``).

    Returns:
        (N,) from −1 to 1, without unit, averaged over repeats. Higher is better.

    Raises:
        InputError: where not all steps were scored, since a drop is a difference of neighbours; or where relevance
            does not match.

    >>> from heatproof.network import Network
    >>> from heatproof.perturbation import perturb
    >>> from heatproof.perturbation.regions import grid_regions, relevance_of_regions
    >>> network = Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 18 * 18, 1, bias=False)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> exact = (images * network.module[1].weight.reshape(1, 3, 18, 18)).sum(dim=1)  # gradient × input
    >>> curves = perturb(network, images, exact, replacement="black", repeats=1)
    >>> calibration(curves, relevance_of_regions(exact, grid_regions(images))).round(decimals=3)
    tensor([1., 1.], dtype=torch.float64)
    """
    ALL_STEPS.check(curves, "calibration")
    drops = -curves.scores.double().diff(dim=-1).cpu().numpy()  # (N, repeats, L)
    orders = curves.orders.expand(-1, drops.shape[1], -1).cpu().numpy()
    found = []
    for number, (image, order, fall) in enumerate(zip(_checked(relevance, len(drops)), orders, drops, strict=True)):
        if len(image) <= order.max():
            raise InputError(
                f"relevance of image {number} must cover all of its regions, at least {order.max() + 1}, "
                f"got {len(image)}"
            )
        found.append(np.nan_to_num(pearson(fall, image[order])).mean())
    return torch.tensor(found, dtype=torch.float64)


def single_region(drops: Sequence[np.ndarray], relevance: Sequence[np.ndarray] | Tensor) -> Tensor:
    r"""Rank correlation of the drops when single regions are removed with the regions' relevance [Hesse2024].

    .. math:: \operatorname{corr}_r \bigl(\operatorname{rank}(f(x) - f(x \setminus r)),\, \operatorname{rank}(h_r)\bigr)

    Spearman's; ties share their mean rank. As in the single deletion score (SDS) of IDSDS; the "in-domain" (ID) of its
    name is a network that was trained on images with missing regions. Where all relevance or all drops are the same, 0.

    Args:
        drops: (repeats, R) for each image (``single_region_drops``); the same serve all heatmaps.
        relevance: (R,) for each image, as for :func:`calibration`.

    Returns:
        (N,) from −1 to 1, without unit, averaged over repeats. Higher is better.

    Raises:
        InputError: where relevance does not match the drops.

    >>> single_region([np.array([[3.0, 1.0, 2.0]])], [np.array([0.5, -0.1, 0.0])])
    tensor([1.], dtype=torch.float64)
    """
    found = []
    for number, (image, fall) in enumerate(zip(_checked(relevance, len(drops)), drops, strict=True)):
        if image.shape != fall.shape[-1:]:
            raise InputError(
                f"relevance of image {number} must be of its {fall.shape[-1]} regions, got shape {image.shape}"
            )
        found.append(np.nan_to_num(spearman(fall, np.broadcast_to(image, fall.shape))).mean())
    return torch.tensor(found, dtype=torch.float64)


def _checked(relevance: Sequence[np.ndarray] | Tensor, count: int) -> list[np.ndarray]:
    """Relevance (R,) of each image in float64."""
    images = [np.asarray(image, dtype=np.float64) for image in relevance]
    if len(images) != count or any(image.ndim != 1 or not np.isfinite(image).all() for image in images):
        raise InputError(f"relevance must be finite numbers (R,) for each of {count} images, got {len(images)} images")
    return images
