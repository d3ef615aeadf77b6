"""Attention: softmaxes, products of two matrices of signals, and both in one call.

The weights of attention are a gate, as those of squeeze-and-excitation are: relevance goes to the values that they
weigh, none to queries and keys [Ali2022]. Under ``softmax="taylor"`` it goes on through the softmax [Achtibat2024].
"""

from copy import copy
from typing import Any, Self

import torch
from torch import Tensor

from heatproof.network.operations.call import Call, PerImage, Variable
from heatproof.network.operations.operation import Called, Opaque, Operation, Signals, Softmaxes, Trace, Way, operation
from heatproof.network.operations.relevance import RelevanceRule, divided

_NO_DECONVOLUTION = {"deconvolution": "deconvolution is not defined for the product of two signals"}


@operation("softmax.int", "log_softmax.int", "_softmax.default", "_log_softmax.default")
class Softmax(Called):
    """Normalised exponentials. At the end of a classifier it is cut off: scores are logits."""

    refuses = {
        "deconvolution": "deconvolution says what a ReLU does with a signal, not what a softmax does",
        "relevance": "no relevance rule is defined for a softmax whose values are no weights of attention",
    }

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.gate = "log" not in call.name

    def under(self, softmax: Softmaxes) -> Operation:
        """One that relevance goes through; the logarithm of a softmax has no rule."""
        return FollowedSoftmax(self.call) if softmax == "taylor" and self.gate else self


class FollowedSoftmax(Softmax):
    """A softmax s of x, expanded to first order: R_x = x · (R − s · Σ R) [Achtibat2024].

    It does not conserve relevance: a shift of x changes nothing, but takes its share.
    """

    refuses = {"deconvolution": Softmax.refuses["deconvolution"]}

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Gradient × input; what is masked (−∞) gets none."""
        (value,) = record.inputs
        change = _change(record.output, relevance, self.call.arguments["dim"])
        return (_seen(value) * change,)


@operation("bmm.default", "baddbmm.default", "einsum.default")
class MatMul(Called):
    """The product of two matrices of signals: half of the relevance to each, in proportion to what it adds.

    Where one of them has the weights of attention, it is a gate, and all goes to the other, the ``carrier``.
    """

    refuses = _NO_DECONVOLUTION
    passes = "in proportion"

    def __init__(self, call: Call, carrier: int | None = None) -> None:
        super().__init__(call)
        self.carrier = carrier  # which of the inputs carries all relevance, if one of them is a gate
        added = isinstance(call.arguments.get("self"), Variable) and call.name.startswith("baddbmm")
        self.factors = tuple(range(int(added), len(call.variables)))  # which of the inputs are multiplied

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The product of two signals, or of one and what is the same for all images but as large as the batch."""
        given = call.arguments
        factors = given.get("tensors") or [value for name, value in given.items() if name in _FACTORS[call.name]]
        known = all(isinstance(factor, Variable | PerImage) for factor in factors)
        if known and len(factors) == 2 and any(isinstance(factor, Variable) for factor in factors):
            return cls(call)
        return Opaque(call, "no relevance rule is defined for this product of matrices, one of which is constant")

    def under(self, softmax: Softmaxes) -> Operation:
        """Without a gate where relevance goes through the softmax."""
        return type(self)(self.call) if softmax == "taylor" else self

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Relevance goes to the carrier, if there is one, and to a matrix that is added."""
        gated = way == "relevance" and self.carrier is not None
        return tuple(not gated or number == self.carrier or number not in self.factors for number in range(count))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """In proportion to what each input adds, once for each factor that has a share."""
        output = record.output
        if self.call.name.startswith("baddbmm") and 0 in self.factors and not (rule is not None and rule.bias):
            output = output - self.call.arguments["beta"] * self.call.arguments["self"]
        found = self.gradient(record, divided(relevance, output))
        carries = self.carries("relevance", len(found))
        equal = len(self.factors) if self.carrier is None else 1
        return tuple(
            None if share is None or not carried else _seen(value) * share / (equal if number in self.factors else 1)
            for number, (value, share, carried) in enumerate(zip(record.inputs, found, carries, strict=True))
        )


_FACTORS = {
    "matmul.default": ("self", "other"), "mm.default": ("self", "mat2"), "bmm.default": ("self", "mat2"),
    "addmm.default": (), "baddbmm.default": ("batch1", "batch2"), "einsum.default": (),
}  # fmt: skip


@operation(
    "scaled_dot_product_attention.default", "_scaled_dot_product_flash_attention_for_cpu.default",
    "_scaled_dot_product_flash_attention.default", "_scaled_dot_product_efficient_attention.default",
)  # fmt: skip
class Attention(Called):
    """softmax(c·q kᵀ + m) v in one call, with a mask or an additive bias m.

    Values get all relevance, in proportion to what each adds. Under ``softmax="taylor"`` they get half. With the share
    D = R − s · Σ R of a score, where R is the other half, queries get q ⊙ (D/2 · c k), keys k ⊙ (Dᵀ/2 · c q), m its
    m ⊙ D: nothing is divided by q kᵀ.
    """

    refuses = _NO_DECONVOLUTION
    followed = False  # whether relevance goes on through the softmax

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.names = [name for name, value in call.arguments.items() if isinstance(value, Variable)]

    def under(self, softmax: Softmaxes) -> Self:
        """One that relevance goes through, to queries, keys and biases, or one of which it goes to values alone."""
        found = copy(self)
        found.followed = softmax == "taylor"
        return found

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Relevance goes to the values, and further where it is followed."""
        return tuple(way != "relevance" or self.followed or name == "value" for name in self.names)

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance of values, and of queries, keys and biases where it is followed."""
        given = self.call.filled(*record.inputs)
        query, (key, value) = given["query"], (self._for_heads(given, name) for name in ("key", "value"))
        scale = query.shape[-1] ** -0.5 if given.get("scale") is None else given["scale"]
        products = scale * query @ key.mT
        scores = self._masked(given, products)
        weights = scores.softmax(dim=-1).nan_to_num(nan=0.0)  # a query may see nothing at all
        share = divided(relevance, record.output) / (2 if self.followed else 1)
        found = {"value": value * (weights.mT @ share)}
        if self.followed:
            change = _change(weights, weights * (share @ value.mT), -1)
            mask = _mask(given)
            if mask is not None and mask.is_floating_point():
                found |= {name: _seen(mask) * change for name in _MASKS}
                if not (rule is not None and rule.bias) and not _MASKS & set(self.names):
                    change = divided(_seen(scores) * change, products)  # a constant takes no share
            found |= {"query": query * (change @ key) * scale / 2, "key": key * (change.mT @ query) * scale / 2}
        return tuple(
            _shaped(found[name], given[name]) if name in found else None for name in self.names
        )

    @staticmethod
    def _for_heads(given: dict[str, Any], name: str) -> Tensor:
        """Keys or values, repeated for the heads that share them."""
        value: Tensor = given[name]
        if not given.get("enable_gqa"):
            return value
        return value.repeat_interleave(given["query"].shape[-3] // value.shape[-3], dim=-3)

    @staticmethod
    def _masked(given: dict[str, Any], scores: Tensor) -> Tensor:
        if given.get("is_causal"):
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
            scores = scores.masked_fill(~seen, -torch.inf)
        mask = _mask(given)
        if mask is None:
            return scores
        return scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -torch.inf)


_MASKS = {"attn_mask", "attn_bias"}


def _mask(given: dict[str, Any]) -> Tensor | None:
    return next((given[name] for name in _MASKS if given.get(name) is not None), None)


def _change(weights: Tensor, relevance: Tensor, dim: int) -> Tensor:
    """R − s · Σ R: the derivative of the softmax s, times what R is the product of s and."""
    return relevance - weights * relevance.sum(dim=dim, keepdim=True)


def _seen(value: Tensor) -> Tensor:
    """The values, with zero where they are masked (−∞), so that no product with zero is NaN."""
    return value.masked_fill(value.isinf(), 0.0)


def _shaped(relevance: Tensor, like: Tensor) -> Tensor:
    """Summed to the shape of a value that was broadcast, or repeated for several heads."""
    if relevance.ndim > 2 and like.ndim > 2 and relevance.shape[-3] != like.shape[-3] != 1:
        relevance = relevance.unflatten(-3, (like.shape[-3], -1)).sum(dim=-3)
    return relevance.sum_to_size(like.shape)
