"""What goes into a network, checked: images in [0, 1], and one class index for each."""

import torch
from torch import Tensor

from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.errors import InputError
from heatproof.registry import unknown

ROUNDING = 1e-4  # beyond [0, 1] that resizing with antialiasing leaves, and is taken as it is


def as_preprocessing(given: Preprocessing | str | None) -> Preprocessing:
    """A preprocessing, or the preset of that name."""
    if given is None:
        return Preprocessing()
    if isinstance(given, Preprocessing):
        return given
    if given not in PRESETS:
        raise InputError(unknown("preprocessing", given, sorted(PRESETS)))
    return PRESETS[given]


def check_images(images: Tensor) -> None:
    """Refuses what is no batch of images in [0, 1]; values beyond it by rounding are taken as they are."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a torch.Tensor of shape (N, C, H, W), got {type(images).__name__}")
    if images.ndim != 4 or 0 in images.shape or not images.is_floating_point():
        raise InputError(
            f"images must be a floating-point tensor of shape (N, C, H, W) with N ≥ 1, got {images.dtype} "
            f"of shape {tuple(images.shape)}"
        )
    low, high = (float(bound) for bound in images.detach().aminmax())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # also true for NaN
        raise InputError(
            f"images must lie in [0, 1] (RGB, not normalised: the network normalises them), got values from {low:.7g} "
            f"to {high:.7g}"
        )


def as_targets(targets: Tensor | int, count: int) -> Tensor:
    """Targets as (count,) int64, of which one number is for all; refuses what is not one class index per image."""
    if isinstance(targets, int) and not isinstance(targets, bool):
        return torch.full((count,), targets)
    if not isinstance(targets, Tensor):
        raise TypeError(
            f"targets must be a torch.Tensor of class indices, or one for all images, got {type(targets).__name__}"
        )
    if targets.shape != (count,) or targets.is_floating_point() or targets.dtype == torch.bool:
        raise InputError(
            f"targets must hold one class index per image, shape ({count},), got {targets.dtype} of shape "
            f"{tuple(targets.shape)}"
        )
    return targets.long()


def check_classes(targets: Tensor, classes: int) -> None:
    """Refuses targets that are no classes of a network with so many."""
    if not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise InputError(f"targets must lie in 0 … {classes - 1}, got {int(targets.min())} … {int(targets.max())}")


def checked_device(device: str | torch.device) -> torch.device:
    """A device that can be used here."""
    try:
        torch.zeros(1, device=device).add(1).item()  # meta makes tensors, and holds no numbers
    except Exception as error:  # torch raises RuntimeError, AssertionError, TypeError, ImportError …
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"device {str(device)!r:.80} cannot be used here: {reason:.200}") from error
    return torch.device(device)
