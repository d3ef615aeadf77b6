"""Normalisations: with fixed statistics, with those of a sample, and by what responds nearby."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function_unary

from heatproof.errors import InputError
from heatproof.network.operations.call import Call
from heatproof.network.operations.operation import POINTWISE, Called, Operation, Reach, Signals, Trace, operation
from heatproof.network.operations.relevance import RelevanceRule, divided


@operation("batch_norm.default", "_native_batch_norm_legit_no_training.default")
@dataclass(frozen=True)
class BatchNorm(Operation):
    """Batch norm in evaluation: ``scale · x + shift`` per channel. One that follows a convolution is folded into it."""

    scale: Tensor
    shift: Tensor

    fresh = True
    passes = "unchanged"
    monotone = True
    pointwise = True

    @classmethod
    def read(cls, call: Call) -> Self:
        """Turns the four statistics into a scale and a shift (computed in float64)."""
        given = call.arguments
        if given.get("training") or given["running_mean"] is None:
            raise InputError("batch norm uses the statistics of the batch; track running statistics, or fix them")
        mean, variance = given["running_mean"], given["running_var"]
        weight = torch.ones_like(mean) if given["weight"] is None else given["weight"]
        bias = torch.zeros_like(mean) if given["bias"] is None else given["bias"]
        scale = weight.double() / (variance.double() + given["eps"]).sqrt()
        shift = bias.double() - mean.double() * scale
        return cls(scale=scale.to(weight), shift=shift.to(weight))

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """``scale · x + shift``."""
        (value,) = inputs
        shape = (-1, *([1] * (value.ndim - 2)))
        return torch.addcmul(self.shift.reshape(shape), value, self.scale.reshape(shape))


@operation("layer_norm.default", "group_norm.default", "rms_norm.default", "instance_norm.default")
class SampleNorm(Called):
    """Layer, group, instance and RMS norm: γ · (x − mean) / σ + β, with the statistics of each image.

    Relevance takes the ε rule through centring and γ, a linear map, with σ held constant; β absorbs its share where
    the rule has biases [Achtibat2024]: R = x ⊙ Jᵀ(R / y), with J = diag(γ/σ)·(I − 11ᵀ/d). RMS norm has no centring.
    """

    refuses = {"deconvolution": "deconvolution is not defined where a layer is normalised by its own statistics"}

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A norm with the statistics of each image, or a batch norm where they are fixed."""
        given = call.arguments
        if given.get("use_input_stats", True):
            return cls(call)
        return BatchNorm.read(Call(call.function, {**given, "training": False}))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Gradient × input of the linear map that is left when σ is held."""
        (value,) = record.inputs
        given = self.call.arguments
        output = record.output
        if given.get("bias") is not None and not (rule is not None and rule.bias):
            output = output - self._over_channels(given["bias"], value)
        share = divided(relevance, output)
        if given.get("weight") is not None:
            share = share * self._over_channels(given["weight"], value)
        grouped, shares = self._grouped(value), self._grouped(share)
        if self.call.name.startswith("rms_norm"):
            spread = grouped.square().mean(dim=-1, keepdim=True)
        else:
            shares = shares - shares.mean(dim=-1, keepdim=True)
            spread = grouped.var(dim=-1, keepdim=True, correction=0)
        eps = torch.finfo(value.dtype).eps if given["eps"] is None else given["eps"]
        return ((grouped * shares / (spread + eps).sqrt()).reshape(value.shape),)

    @property
    def keeps(self) -> str:
        """β."""
        return "β of norms"

    def _grouped(self, value: Tensor) -> Tensor:
        """The values with those that are normalised together in the last dimension."""
        given = self.call.arguments
        if "normalized_shape" in given:
            return value.flatten(start_dim=value.ndim - len(given["normalized_shape"]))
        groups = given.get("num_groups", value.shape[1])
        return value.reshape(len(value), groups, -1)

    def _over_channels(self, values: Tensor, like: Tensor) -> Tensor:
        if "normalized_shape" in self.call.arguments:
            return values
        return values.reshape(-1, *[1] * (like.ndim - 2))


@operation("heatproof.local_response_norm.default")
@dataclass(frozen=True)
class LocalResponseNorm(Operation):
    """x_k / (k₀ + α/n · Σ_i x_i²)^β over the n values around x_k: AlexNet's and CaffeNet's [Krizhevsky2012].

    They are those of neighbouring channels at one position, or a square of positions in one channel (n its area).
    """

    size: int  # channels, or positions along a side
    alpha: float
    beta: float
    k: float  # k₀
    within: bool  # whether positions are neighbours, not channels

    passes = "moved"  # to a zero only what arrives at its place

    @classmethod
    def read(cls, call: Call) -> Self:
        """Reads the constants."""
        given = {name: value for name, value in call.arguments.items() if name != "value"}
        return cls(**given)

    def reach(self, *shapes: tuple[int, ...]) -> Reach:
        """Its own position, or the square around it."""
        side, margin = self.size, self.size // 2
        return Reach((side, side), (1, 1), (margin, margin)) if self.within else POINTWISE

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The normalised values."""
        return self._normalised(inputs[0], self._around(inputs[0].square()))

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """Evaluates a window, without padding."""
        if not self.within:
            return self.evaluate(*inputs)
        margin, (value,) = self.size // 2, inputs
        inner = value[..., margin : value.shape[-2] - margin, margin : value.shape[-1] - margin]
        return self._normalised(inner, F.avg_pool2d(value.square(), self.size, 1, divisor_override=1))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance in proportion to the terms of a first-order expansion around (0, …, x_k, …, 0) [Binder2016].

        With c = α/n, and s_k = k₀ + c · Σ_i x_i² over the neighbourhood of k, the output is about
        x_k / (k₀ + c·x_k²)^β − 2βc · Σ_{j≠k} x_k·x_j² / s_k^{β+1}: x_k speaks for it, its neighbours against it. The
        sum has the sign of x_k and at least a quarter of the first term's size: nothing is lost, nothing overflows.
        """
        squares = record.inputs[0].square()
        around = self._around(squares)
        alone = (self.k + self._each * squares).pow(-self.beta)
        against = 2 * self.beta * self._each * (self.k + self._each * around).pow(-self.beta - 1)
        share = relevance / (alone - against * (around - squares))
        from_others = share * against
        return (share * alone - squares * (self._around(from_others, back=True) - from_others),)

    @property
    def _each(self) -> float:
        """What a neighbour's square is multiplied by."""
        return self.alpha / (self.size**2 if self.within else self.size)

    def _normalised(self, value: Tensor, around: Tensor) -> Tensor:
        return value * (self.k + self._each * around).pow(-self.beta)

    def _around(self, values: Tensor, *, back: bool = False) -> Tensor:
        """The sum over each value's neighbourhood, or (``back``) over those whose neighbourhood it belongs to."""
        if self.within:
            return F.avg_pool2d(values, self.size, 1, self.size // 2, divisor_override=1)
        before, after = self.size // 2, (self.size - 1) // 2  # differ where the size is even
        if back:
            before, after = after, before
        padded = F.pad(values, [0, 0] * (values.ndim - 2) + [before, after])
        total = padded.narrow(1, 0, values.shape[1]).clone()  # sums of slices: six times as fast as avg_pool3d
        for step in range(1, self.size):
            total += padded.narrow(1, step, values.shape[1])
        return total


def norm_within_channels(value: Tensor, size: int, alpha: float, beta: float) -> Tensor:
    """Caffe's normalisation over squares of positions: x / (1 + α · mean of x² over the square)^β.

    >>> norm_within_channels(torch.ones(1, 1, 3, 3), size=3, alpha=9.0, beta=1.0)[0, 0]
    tensor([[0.2000, 0.1429, 0.2000],
            [0.1429, 0.1000, 0.1429],
            [0.2000, 0.1429, 0.2000]])
    """
    if has_torch_function_unary(value):
        normalised: Tensor = handle_torch_function(norm_within_channels, (value,), value, size, alpha, beta)
        return normalised
    return value / (1 + alpha * F.avg_pool2d(value.square(), size, 1, size // 2)).pow(beta)


class AsOneOperation(TorchFunctionMode):
    """Within this context, a local response norm of torch or of Caffe is traced as one operation, not as a dozen."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Calls ``func``, or what stands for it."""
        return _AS_ONE.get(func, func)(*args, **(kwargs or {}))


@torch.library.custom_op("heatproof::local_response_norm", mutates_args=())
def _local_response_norm(value: Tensor, size: int, alpha: float, beta: float, k: float, within: bool) -> Tensor:
    return LocalResponseNorm(size, alpha, beta, k, within).evaluate(value)


@_local_response_norm.register_fake
def _(value: Tensor, size: int, alpha: float, beta: float, k: float, within: bool) -> Tensor:
    return torch.empty_like(value)


_AS_ONE: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.local_response_norm: lambda input, size, alpha=1e-4, beta=0.75, k=1.0: _local_response_norm(
        input, size, float(alpha), float(beta), float(k), False
    ),
    norm_within_channels: lambda value, size, alpha, beta: _local_response_norm(
        value, size, float(alpha), float(beta), 1.0, True
    ),
}
