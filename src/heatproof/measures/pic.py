"""The score over the information that an image holds, as a compressed file."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.areas import area_under
from heatproof.measures.scores import ALL_REGIONS, Scores, check_order
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.subsets import Removal, passed_through, removals


def pic(lerf: Scores, sizes: Tensor) -> Tensor:
    r"""Area under the score over the compressed size of the image that is revealed [Kapishnikov2019].

    .. math:: \int_0^1 f\,d\iota, \qquad \iota_k = \frac{\mathrm{size}(x^{(k)}) - \mathrm{size}(x^{(L)})}
        {\mathrm{size}(x) - \mathrm{size}(x^{(L)})}

    The most relevant regions are revealed first: trapezoids over the images of LeRF, read backwards. It is the source's
    performance information curve (with the score "probability": softmax information curve), of each image by itself;
    there, curves are also kept from falling, and their median over images is taken.

    Args:
        lerf: curves to full removal, least relevant first; or scores, as for :func:`deletion_auc`.
        sizes: (N, 1 or repeats, L + 1) of the images after each step, also where steps were not scored
            (``compressed_sizes``).

    Returns:
        (N,) in the unit of the score. Higher is better. For the rest see :func:`deletion_auc`.

    Raises:
        InputError: for other orders, curves that stop before full removal, sizes that do not match, or images that
            get no smaller by removal.

    >>> pic(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[[9.0, 6.0, 1.0]]]))
    tensor([0.4375], dtype=torch.float64)
    """
    check_order(lerf, "lerf", "pic")
    ALL_REGIONS.check(lerf, "pic")
    count, steps = (len(lerf.images), lerf.steps) if isinstance(lerf, Curves) else (len(lerf), lerf.shape[-1] - 1)
    if sizes.ndim != 3 or len(sizes) != count or sizes.shape[2] != steps + 1:
        raise InputError(
            f"sizes must have shape (N, 1 or repeats, L + 1) with N = {count} and L = {steps}, got {tuple(sizes.shape)}"
        )
    begin, end = sizes[..., :1].double(), sizes[..., -1:].double()
    if bool((end >= begin).any()):
        raise InputError(
            "pic needs a replacement that compresses better than the images, but "
            f"{int((end >= begin).any(dim=1).sum())} of {len(sizes)} get no smaller by it: take replacement 'blur', "
            "'mean-colour' or 'black'"
        )
    return area_under(lerf, (begin - sizes) / (begin - end)).mean(dim=1)


def compressed_sizes(images: Tensor, curves: Curves) -> Tensor:
    """Bytes of the image after each step as a lossless WebP file, rendered again; no network is needed.

    Args:
        images: (N, C, H, W) those of the curves, in [0, 1], C = 3 or 1.
        curves: of any order; LeRF for ``pic``.

    Returns:
        (N, repeats, L + 1) in bytes, in float64.

    Raises:
        InputError: where there are not as many images as curves.

    >>> from heatproof.network import Network
    >>> from heatproof.perturbation import perturb
    >>> network = Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 18 * 18, 2)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> compressed_sizes(images, perturb(network, images, images.sum(dim=1), order="lerf", repeats=1)).shape
    torch.Size([2, 1, 5])
    """
    orders = curves.orders.expand(-1, curves.scores.shape[1], -1).cpu()
    found = [
        [_sizes(removal, order, repeat) for repeat, order in enumerate(of_image)]
        for removal, of_image in zip(removals(images, curves), orders, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)


def _sizes(removal: Removal, order: Tensor, repeat: int) -> list[int]:
    """Compressed sizes of the images that an order (L,) passes through; a few at a time, to save memory."""
    subsets = passed_through(order, removal.count).split(16)
    return [_webp_size(image) for some in subsets for image in removal.without(some, repeat)]


def _webp_size(image: Tensor) -> int:
    """Bytes of (C, H, W) in [0, 1] as a lossless file; more effort than this takes three times as long for 0.3 %."""
    levels = (image.detach().double().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    colours = Image.fromarray(np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3))))
    file = io.BytesIO()
    colours.save(file, format="WEBP", lossless=True, quality=50, method=4)
    return file.tell()
