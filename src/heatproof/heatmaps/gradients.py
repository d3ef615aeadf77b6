"""Sensitivity and deconvolution (norms of what arrives at each pixel, without sign), and gradient × input (signed)."""

import torch
from torch import Tensor

from heatproof.heatmaps.methods import register
from heatproof.network.forward import ForwardPass


@register("sensitivity-l2", way="gradient")
def sensitivity_l2(forward: ForwardPass) -> Tensor:
    """Euclidean norm of the gradient over the channels of a pixel [Simonyan2014, Samek2017]."""
    norm: Tensor = torch.linalg.vector_norm(forward.gradient, dim=1)
    return norm


@register("sensitivity-linf", way="gradient")
def sensitivity_linf(forward: ForwardPass) -> Tensor:
    """Largest absolute gradient among the channels of a pixel [Simonyan2014]."""
    return forward.gradient.abs().amax(dim=1)


@register("deconvolution-l2", way="deconvolution")
def deconvolution_l2(forward: ForwardPass) -> Tensor:
    """Euclidean norm of the deconvolution signal over the channels of a pixel [Zeiler2014, Samek2017]."""
    norm: Tensor = torch.linalg.vector_norm(forward.deconvolution, dim=1)
    return norm


@register("deconvolution-linf", way="deconvolution")
def deconvolution_linf(forward: ForwardPass) -> Tensor:
    """Largest absolute deconvolution signal among the channels of a pixel [Zeiler2014]."""
    return forward.deconvolution.abs().amax(dim=1)


@register("gradient-x-input", way="gradient")
def gradient_x_input(forward: ForwardPass) -> Tensor:
    """Gradient of the score times the normalised input, summed over channels; signed [Shrikumar2016]."""
    return (forward.gradient * forward.inputs.detach()).sum(dim=1)
