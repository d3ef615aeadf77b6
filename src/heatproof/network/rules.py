"""Relevance rules for weighted sums (convolutions and dense layers), each a formula on one small interface.

A layer has inputs a_i, weights w_ij, a bias b_j, and outputs z_j = Σ_i a_i·w_ij + b_j with relevance R_j. A rule
says how much of each R_j goes to each input. ``bias`` says whether biases stand in the denominators (they then
absorb relevance, as in the first public implementations) or are left out (as in the printed formulas).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

STABILISER = 1e-6


class WeightedSum(Protocol):
    """What a rule needs to know of a layer."""

    @property
    def weight(self) -> Tensor:
        """The weights w_ij as the layer stores them."""

    @property
    def bias(self) -> Tensor | None:
        """The biases b_j, or none."""

    def weigh(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Σ_i a_i·w_ij + b_j for other weights and biases than the layer's own."""

    def pull(self, signal: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
        """Σ_j w_ij·s_j, in the shape of ``inputs``."""


class Rule(Protocol):
    """A relevance rule of one layer."""

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs, from the relevance of the output; ``output`` is z with the bias."""


@dataclass(frozen=True)
class Epsilon:
    """R_i = Σ_j a_i·w_ij / (z_j + ε·sign z_j) · R_j [Bach2015]."""

    epsilon: float = STABILISER
    bias: bool = True

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        z = output if self.bias else _without_bias(layer, output)
        return inputs * layer.pull(relevance / stabilise(z, self.epsilon), layer.weight, inputs)


@dataclass(frozen=True)
class AlphaBeta:
    """R_i = Σ_j (α·z⁺_ij / Σ z⁺_i'j + β·z⁻_ij / Σ z⁻_i'j) · R_j with α + β = 1 [Bach2015].

    Where an output has no negative part its β share is lost; it is not redistributed.
    """

    alpha: float = 2.0
    beta: float = -1.0
    bias: bool = True

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        positive, negative = _split(layer.weight)
        biases = _split(layer.bias) if self.bias and layer.bias is not None else (None, None)
        parts = [(inputs, positive, negative)]
        if bool((inputs < 0).any()):
            above, below = _split(inputs)
            parts = [(above, positive, negative), (below, negative, positive)]
        total = torch.zeros_like(inputs)
        for share, bias, sign in ((self.alpha, biases[0], 1), (self.beta, biases[1], 2)):
            if share == 0:
                continue
            z = _total([layer.weigh(part[0], part[sign], bias if k == 0 else None) for k, part in enumerate(parts)])
            signal = relevance * share / stabilise(z)
            for part in parts:
                total.addcmul_(part[0], layer.pull(signal, part[sign], inputs))
        return total


@dataclass(frozen=True)
class Gamma:
    """Contributions of the output's own sign count (1 + γ)-fold [Montavon2019], for signed inputs [Andeol2021]."""

    gamma: float = 0.25
    bias: bool = True

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        above, below = _split(inputs)
        biases = _split(layer.bias) if self.bias and layer.bias is not None else None
        positive, negative = _split(layer.weight)
        upward, downward = layer.weight + self.gamma * positive, layer.weight + self.gamma * negative
        total = torch.zeros_like(inputs)
        for sign, own, other in ((1, upward, downward), (-1, downward, upward)):
            bias = None if biases is None or layer.bias is None else layer.bias + self.gamma * biases[sign < 0]
            z = layer.weigh(above, own, bias) + layer.weigh(below, other)
            signal = torch.where(output * sign > 0, relevance / stabilise(z), 0)
            total.addcmul_(above, layer.pull(signal, own, inputs))
            total.addcmul_(below, layer.pull(signal, other, inputs))
        return total


@dataclass(frozen=True)
class Flat:
    """Every input of a sum gets the same share, whatever its value or weight [Lapuschkin2019]."""

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        ones = torch.ones_like(layer.weight)
        count = layer.weigh(torch.ones_like(inputs[:1]), ones)
        return layer.pull(relevance / stabilise(count), ones, inputs)


@dataclass(frozen=True)
class Box:
    """z^B: inputs count from the end of their range [low, high] that a weight can make the most of [Montavon2017].

    ``low`` and ``high`` broadcast against the layer's input; the biases cancel out of the denominators.
    """

    low: Tensor
    high: Tensor

    def moved(self, forward: Callable[[Tensor], Tensor]) -> "Box":
        """The box as it stands behind ``forward``, which must not decrease in any pixel."""
        return replace(self, low=forward(self.low), high=forward(self.high))

    def propagate(self, layer: WeightedSum, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        low, high = (bound.to(inputs).expand(1, *inputs.shape[1:]) for bound in (self.low, self.high))
        positive, negative = _split(layer.weight)
        z = layer.weigh(inputs, layer.weight) - layer.weigh(low, positive) - layer.weigh(high, negative)
        signal = relevance / stabilise(z)
        pulled = [layer.pull(signal, weight, inputs) for weight in (layer.weight, positive, negative)]
        return inputs * pulled[0] - low * pulled[1] - high * pulled[2]


@dataclass(frozen=True)
class Composite:
    """Which rule each layer gets by its role: those that read the image, later convolutions, dense layers."""

    first: Rule
    convolution: Rule
    dense: Rule


def stabilise(z: Tensor, epsilon: float = STABILISER) -> Tensor:
    """Moves z away from zero by ε, in the direction of its sign (upwards at zero).

    >>> stabilise(torch.tensor([-1.0, 0.0, 1.0]), 0.5)
    tensor([-1.5000,  0.5000,  1.5000])
    """
    return z + torch.where(z < 0, -epsilon, epsilon)


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.clamp(min=0), values.clamp(max=0)


def _total(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else values[0] + values[1]


def _without_bias(layer: WeightedSum, output: Tensor) -> Tensor:
    if layer.bias is None:
        return output
    return output - layer.bias.reshape(-1, *([1] * (output.ndim - 2))) if output.ndim == 4 else output - layer.bias
