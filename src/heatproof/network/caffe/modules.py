"""The torch modules that Caffe's layers need and torch does not have."""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.network.operations.normalization import norm_within_channels


class InnerProduct(nn.Linear):
    """A dense layer over all values of a map."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, …) to (B, outputs)."""
        return super().forward(input if input.ndim == 2 else input.flatten(start_dim=1))


class PerChannel(nn.Module):
    """(x − mean) / √(variance + ε) · weight + bias, with numbers of their own for each channel."""

    mean: Tensor
    variance: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        for name in ("mean", "variance", "weight", "bias"):
            self.register_buffer(name, torch.empty(channels, device="meta"))

    def forward(self, value: Tensor) -> Tensor:
        """(B, channels, …), the same shape."""
        return F.batch_norm(value, self.mean, self.variance, self.weight, self.bias, eps=self.epsilon)


class WithinChannelNorm(nn.Module):
    """Local response normalisation over squares of positions, as Caffe has it."""

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, value: Tensor) -> Tensor:
        """(B, C, H, W), the same shape."""
        return norm_within_channels(value, self.size, self.alpha, self.beta)


class Combination(nn.Module):
    """Several maps as one: ``CONCAT``, ``SUM`` (with coefficients), ``PROD``, or ``MAX``."""

    def __init__(self, kind: str, coefficients: Sequence[float] = ()) -> None:
        super().__init__()
        self.kind = kind
        self.coefficients = tuple(coefficients)

    def forward(self, *values: Tensor) -> Tensor:
        """Maps (B, C, H, W)."""
        if self.kind == "CONCAT":
            return torch.cat(values, dim=1)
        if self.kind == "SUM":
            factors = self.coefficients or [1.0] * len(values)
            scaled = (value if factor == 1 else value * factor for value, factor in zip(values, factors, strict=True))
            return reduce(torch.add, scaled)
        return reduce(torch.mul if self.kind == "PROD" else torch.maximum, values)
