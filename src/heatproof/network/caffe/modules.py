"""The torch modules that Caffe's layers need and torch does not have."""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heatproof.network.operations.normalization import norm_within_channels


class Dense(nn.Linear):
    """A dense layer over all values of a map."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, …) to (B, outputs)."""
        return super().forward(input if input.ndim == 2 else input.flatten(start_dim=1))


class Flat(nn.Module):
    """All values of an image in a row."""

    def forward(self, value: Tensor) -> Tensor:
        """(B, …) to (B, values)."""
        return value.flatten(start_dim=1)


class PerChannel(nn.Module):
    """(x − mean) / √(variance + ε) · weight + bias, with numbers of their own for each channel."""

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        for name in ("mean", "variance", "weight", "bias"):
            self.register_buffer(name, torch.empty(channels, device="meta"))

    def forward(self, value: Tensor) -> Tensor:
        """(B, channels, …), the same shape."""
        named = dict(self.named_buffers())
        return F.batch_norm(value, named["mean"], named["variance"], named["weight"], named["bias"], eps=self.epsilon)


class WithinChannelNorm(nn.Module):
    """Local response normalisation over squares of positions, as Caffe has it."""

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, value: Tensor) -> Tensor:
        """(B, C, H, W), the same shape."""
        return norm_within_channels(value, self.size, self.alpha, self.beta)


class Combination(nn.Module):
    """Several maps as one: ``concatenate``, ``sum`` (with coefficients), ``product``, or ``maximum``."""

    def __init__(self, kind: str, coefficients: Sequence[float] = ()) -> None:
        super().__init__()
        self.kind = kind
        self.coefficients = tuple(coefficients)

    def forward(self, *values: Tensor) -> Tensor:
        """Maps (B, C, H, W)."""
        if self.kind == "concatenate":
            return torch.cat(values, dim=1)
        if self.kind == "sum":
            return reduce(torch.add, self._scaled(values))
        return reduce(torch.mul if self.kind == "product" else torch.maximum, values)

    def _scaled(self, values: Sequence[Tensor]) -> list[Tensor]:
        factors = self.coefficients or [1.0] * len(values)
        return [value if factor == 1 else value * factor for value, factor in zip(values, factors, strict=True)]
