"""Relevance rules for weighted sums (convolutions and dense layers), each a formula on one small interface.

A layer has inputs a_i, weights w_ij, a bias b_j, and outputs z_j = Σ_i a_i·w_ij + b_j with relevance R_j. A rule
says how much of each R_j goes to each input. ``bias`` says whether biases stand in the denominators (they then
absorb relevance, as in the first public implementations) or are left out (as in the printed formulas).
"""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from heatproof.network.operations.operation import Positions, Softmaxes
from heatproof.network.operations.relevance import STABILISER, RelevanceRule, divided, split
from heatproof.network.operations.weighted import Weighted


@dataclass(frozen=True)
class Epsilon:
    """R_i = Σ_j a_i·w_ij / (z_j + ε·sign z_j) · R_j [Bach2015]."""

    epsilon: float = STABILISER
    bias: bool = True

    def propagate(self, layer: Weighted, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        z = output if self.bias or layer.bias is None else output - layer.over_channels(layer.bias)
        return layer.pull(divided(relevance, z, self.epsilon), layer.weight, inputs).mul_(inputs)


@dataclass(frozen=True)
class AlphaBeta:
    """R_i = Σ_j (α·z⁺_ij / Σ z⁺_i'j + β·z⁻_ij / Σ z⁻_i'j) · R_j with α + β = 1 [Bach2015].

    Where an output has no negative part its β share is lost; it is not redistributed.
    """

    alpha: float = 2.0
    beta: float = -1.0
    bias: bool = True

    def propagate(self, layer: Weighted, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        positive, negative = layer.split_weight
        biases = split(layer.bias) if self.bias and layer.bias is not None else (None, None)
        has_negative = bool(inputs.amin() < 0)
        total = torch.zeros_like(inputs)
        for share, own, other, bias in (
            (self.alpha, positive, negative, biases[0]),
            (self.beta, negative, positive, biases[1]),
        ):
            if share == 0:
                continue
            # a negative input contributes positively where its weight is negative
            signed = list(zip(split(inputs), (own, other), strict=True)) if has_negative else [(inputs, own)]
            z = reduce(torch.add, [layer.weigh(part, weight) for part, weight in signed])
            if bias is not None:
                z += layer.over_channels(bias)
            signal = divided(relevance, z)
            for part, weight in signed:
                total.addcmul_(part, layer.pull(signal, weight, inputs), value=share)
        return total


@dataclass(frozen=True)
class Gamma:
    """Contributions of the output's own sign count (1 + γ)-fold [Montavon2019], for signed inputs [Andeol2021].

    Of a contribution c to an output of sign s this makes (1 + γ/2)·c + s·γ/2·|c|, which takes one more sum than z,
    that of |a_i|·|w_ij|.
    """

    gamma: float = 0.25
    bias: bool = True

    def propagate(self, layer: Weighted, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        magnitudes, weights, sign = inputs.abs(), layer.weight.abs(), output.sign()
        z, size = output, layer.weigh(magnitudes, weights)
        if layer.bias is not None:
            bias = layer.over_channels(layer.bias)
            z, size = (z, size + bias.abs()) if self.bias else (z - bias, size)
        half = self.gamma / 2
        signal = divided(relevance, (1 + half) * z + half * sign * size).mul_(sign)
        total = layer.pull(signal, weights, inputs).mul_(magnitudes).mul_(half)
        return total.addcmul_(inputs, layer.pull(signal.mul_(sign), layer.weight, inputs), value=1 + half)


@dataclass(frozen=True)
class Flat:
    """Every input of a sum gets the same share, whatever its value or weight [Lapuschkin2019]."""

    bias: ClassVar[bool] = False

    def propagate(self, layer: Weighted, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        ones = torch.ones_like(layer.weight)
        count = layer.weigh(torch.ones_like(inputs[:1]), ones)
        return layer.pull(divided(relevance, count), ones, inputs)


@dataclass(frozen=True)
class Box:
    """z^B: inputs count from the end of their range [low, high] that a weight can make the most of [Montavon2017].

    ``low`` and ``high`` broadcast against the layer's input; the biases cancel out of the denominators.
    """

    low: Tensor
    high: Tensor

    bias: ClassVar[bool] = False

    def propagate(self, layer: Weighted, inputs: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """Relevance of the inputs."""
        low, high = (self._spread(bound.to(inputs), inputs) for bound in (self.low, self.high))
        positive, negative = split(layer.weight)
        z = layer.weigh(inputs, layer.weight) - layer.weigh(low, positive) - layer.weigh(high, negative)
        signal = divided(relevance, z)
        pulled = [layer.pull(signal, weight, inputs) for weight in (layer.weight, positive, negative)]
        return inputs * pulled[0] - low * pulled[1] - high * pulled[2]

    @staticmethod
    def _spread(bound: Tensor, inputs: Tensor) -> Tensor:
        """A bound for every input; one row where it is the same for all images."""
        return bound.expand(len(bound) if bound.ndim == inputs.ndim else 1, *inputs.shape[1:])


@dataclass(frozen=True)
class Composite:
    """Which rule each layer gets by its role: those that read the image, later convolutions, dense layers.

    ``projection`` is the rule of attention's projections (queries, keys, values, output), by default that of dense
    layers; ``softmax`` says whether attention's weights are constants, or relevance goes on through its softmax;
    ``positions`` whether these keep the relevance that they absorb, or it goes to their patches.
    """

    first: RelevanceRule
    convolution: RelevanceRule
    dense: RelevanceRule
    projection: RelevanceRule | None = None
    softmax: Softmaxes = "constant"
    positions: Positions = "absorb"
