"""How far a replacement drives images out of what the network knows."""

from torch import Tensor

from heatproof.errors import InputError
from heatproof.measures.auc import area_to_full_removal, check_order
from heatproof.perturbation.curves import Curves


def r_oms(random: Curves | Tensor) -> Tensor:
    r"""Reference out-of-model-scope score: the predicted class's probability while random regions go [Bluecher2024].

    .. math:: \int_0^1 p\bigl(\hat y \mid x_\mathrm{random}(s)\bigr)\,ds, \quad \hat y = \arg\max_y p(y \mid x)

    over the removed share s of all regions (trapezoids). The closer to 1, the longer the network still sees what it saw
    in the untouched image: removing regions this way leaves images in its scope. The closer to 0, the sooner it is
    lost, whatever is removed: there, scores tell little about the regions. A replacement that removes little, as blur
    does, also comes near 1. Replacements are compared on the same images, with the same order.

    Args:
        random: curves of the probability in random order, or such probabilities (N, L + 1) or (N, repeats, L + 1) of
            regions of equal size, all of which are removed.

    Returns:
        (N,) between 0 and 1, no unit, averaged over repeats. Higher is nearer to the model's scope. Where steps were
        sampled, an unbiased estimate.

    Raises:
        InputError: for curves that stop before full removal, of another order, or of another score.

    >>> import torch
    >>> r_oms(torch.tensor([[1.0, 0.5, 0.0]]))
    tensor([0.5000], dtype=torch.float64)
    """
    check_order(random, "random", "r_oms")
    if isinstance(random, Curves) and random.protocol.score != "probability":
        raise InputError(f"r_oms needs curves of the score 'probability', got {random.protocol.score!r}")
    return area_to_full_removal(random, "r_oms")
