"""Gradient × input."""

from torch import Tensor

from heatproof.heatmaps.methods import ForwardPass, register


@register("gradient-x-input", way="gradient")
def gradient_x_input(forward: ForwardPass) -> Tensor:
    """Gradient of the score times the normalised input, summed over channels; signed [Shrikumar2016]."""
    return (forward.gradient * forward.inputs.detach()).sum(dim=1)
