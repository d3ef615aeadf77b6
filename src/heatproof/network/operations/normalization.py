"""Normalisations with fixed or per-sample statistics."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.operations.operation import Call, Called, Operation, Record, Signals, operation
from heatproof.network.operations.reach import POINTWISE, Reach
from heatproof.network.rules import Rule


@operation("batch_norm.default")
@dataclass(frozen=True)
class BatchNorm(Operation):
    """Batch norm in evaluation: ``scale · x + shift`` per channel. One that follows a convolution is folded into it."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def read(cls, call: Call) -> Self:
        """Turns the four statistics into a scale and a shift (computed in float64)."""
        given = call.arguments
        if given["training"] or given["running_mean"] is None:
            raise InputError("batch norm uses the statistics of the batch; track running statistics, or fix them")
        mean, variance = given["running_mean"], given["running_var"]
        weight = torch.ones_like(mean) if given["weight"] is None else given["weight"]
        bias = torch.zeros_like(mean) if given["bias"] is None else given["bias"]
        scale = weight.double() / (variance.double() + given["eps"]).sqrt()
        shift = bias.double() - mean.double() * scale
        return cls(scale=scale.to(weight), shift=shift.to(weight))

    def reach(self, *shapes: tuple[int, ...]) -> Reach:
        """A position depends on itself."""
        return POINTWISE

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """``scale · x + shift``."""
        (value,) = inputs
        shape = (-1, *([1] * (value.ndim - 2)))
        return torch.addcmul(self.shift.reshape(shape), value, self.scale.reshape(shape))

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Unchanged: one input makes one output."""
        return (relevance,)


@operation("layer_norm.default", "group_norm.default")
class SampleNorm(Called):
    """Layer and group norm; relevance passes unchanged (the identity rule) [Achtibat2024]."""

    refuses = {"deconvolution": "deconvolution is not defined where a layer is normalised by its own statistics"}

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Unchanged."""
        return (relevance,)
