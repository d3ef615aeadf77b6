"""Attention: softmaxes, products of two matrices of signals, and both in one call.

The weights of attention are a gate, as those of squeeze-and-excitation are: relevance goes to the values that they
weigh, none to queries and keys [Ali2022]. Under ``softmax="taylor"`` it goes on through the softmax [Achtibat2024].
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from heatproof.network.operations.call import Call, PerImage, Variable
from heatproof.network.operations.operation import Called, Opaque, Operation, Signals, Trace, Way, operation
from heatproof.network.operations.relevance import RelevanceRule, divided

_NO_DECONVOLUTION: dict[Way, str] = {"deconvolution": "deconvolution is not defined for the product of two signals"}


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

    def followed(self) -> Operation:
        """One with a rule; the logarithm of a softmax has none."""
        return FollowedSoftmax(self.call) if self.gate else self


class FollowedSoftmax(Softmax):
    """A softmax s of x, expanded to first order: R_x = x · (R − s · Σ R) [Achtibat2024].

    It does not conserve relevance: a shift of x changes nothing, but takes its share.
    """

    refuses = {"deconvolution": Softmax.refuses["deconvolution"]}

    @property
    def keeps(self) -> str:
        """What it does not conserve."""
        return _LOSING

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
        added = call.name in _ADDING and isinstance(call.arguments["self"], Variable)
        self.factors = tuple(range(int(added), len(call.variables)))  # which of the inputs are multiplied

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The product of two matrices; a layer's weights that no layer's rule reads have no rule."""
        given = call.arguments
        factors = given.get("tensors") or [given[name] for name in _FACTORS[call.name]]
        signals = [factor for factor in factors if isinstance(factor, Variable)]
        if len(factors) != 2 or not signals:
            return Opaque(call, "no relevance rule is defined for this product of matrices")
        found = cls(call)
        if any(isinstance(factor, Tensor) and factor.ndim < 3 for factor in factors):
            found.refuses = {**cls.refuses, "relevance": "no relevance rule is defined for weights in this place"}
        return found

    def followed(self) -> Operation:
        """Without a gate."""
        return MatMul.read(self.call)

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Relevance goes to the carrier, if there is one, and to a matrix that is added."""
        gated = way == "relevance" and self.carrier is not None
        return tuple(not gated or number == self.carrier or number not in self.factors for number in range(count))

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """In proportion to what each input adds, once for each factor that has a share."""
        output = record.output
        if self.call.name in _ADDING and 0 in self.factors and not (rule is not None and rule.bias):
            given = self.call.filled(*record.inputs)
            output = output - given["beta"] * given["self"]
        found = self.gradient(record, divided(relevance, output))
        carries = self.carries("relevance", len(found))
        equal = len(self.factors) if self.carrier is None else 1
        return tuple(
            None if share is None or not carried else _seen(value) * share / (equal if number in self.factors else 1)
            for number, (value, share, carried) in enumerate(zip(record.inputs, found, carries, strict=True))
        )

    @property
    def gate_factor(self) -> int:
        """Which of the inputs has the weights of attention."""
        (gate,) = (number for number in self.factors if number != self.carrier)
        return gate

    def weights(self, record: Trace) -> Tensor:
        """Attention's weights (…, queries, keys), where one of the factors has them."""
        return self._from_query_to_key(record.inputs[self.gate_factor].detach())

    def sent_to_weights(self, record: Trace, signal: Tensor) -> Tensor:
        """(…, queries, keys) the gradient at these weights of a signal that arrives at the output."""
        found = self.gradient(record, signal)[self.gate_factor]
        assert found is not None, "a product's factors are differentiable"
        return self._from_query_to_key(found)

    def _from_query_to_key(self, weights: Tensor) -> Tensor:
        return weights.mT if self.gate_factor == self.factors[-1] else weights  # A v, or vᵀ Aᵀ


_ADDING = ("baddbmm.default", "addmm.default")
_FACTORS = {
    "matmul.default": ("self", "other"), "mm.default": ("self", "mat2"), "bmm.default": ("self", "mat2"),
    "addmm.default": ("mat1", "mat2"), "baddbmm.default": ("batch1", "batch2"), "einsum.default": (),
}  # fmt: skip


@operation(
    "scaled_dot_product_attention.default", "_scaled_dot_product_flash_attention_for_cpu.default",
    "_scaled_dot_product_flash_attention.default", "_scaled_dot_product_efficient_attention.default",
)  # fmt: skip
class Attention(Called):
    """softmax(c·q kᵀ + m) v in one call, with a mask or an additive bias m: a gate and a product."""

    refuses = _NO_DECONVOLUTION

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.names = [name for name, value in call.arguments.items() if isinstance(value, Variable)]

    @classmethod
    def read(cls, call: Call) -> "Attention":
        """Reads the call without a mask that hides nothing."""
        mask = call.arguments.get("attn_mask")
        row = mask.row if isinstance(mask, PerImage) else mask
        if isinstance(row, Tensor) and row.dtype == torch.bool and bool(row.all()):
            call = replace(call, arguments={**call.arguments, "attn_mask": None})
        return cls(call)

    def followed(self) -> Operation:
        """One that passes relevance on to queries, keys and biases, too."""
        return FollowedAttention(self.call)

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """Relevance goes to the values alone."""
        return tuple(way != "relevance" or name == "value" for name in self.names)

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance of the values, in proportion to what each adds."""
        given = self.call.filled(*record.inputs)
        _, scores = _scored(given)
        return self._named(given, {"value": _weights(scores).mT @ divided(relevance, record.output)})

    def weights(self, record: Trace) -> Tensor:
        """Attention's weights (…, queries, keys)."""
        return _weights(_scored(self.call.filled(*record.inputs))[1]).detach()

    def sent_to_weights(self, record: Trace, signal: Tensor) -> Tensor:
        """(…, queries, keys) the gradient at these weights of a signal that arrives at the output."""
        return signal @ _for_heads(self.call.filled(*record.inputs), "value").detach().mT

    def _named(self, given: dict[str, Any], shares: dict[str, Tensor]) -> Signals:
        """What each input gets: itself times its share, summed where it was broadcast or repeated for several heads."""
        found = {name: _shaped(shares[name], given[name]) for name in self.names if name in shares}
        return tuple(_seen(given[name]) * found[name] if name in found else None for name in self.names)


class FollowedAttention(Attention):
    """The same, expanded to first order [Achtibat2024]: values get half of the relevance of each product A v.

    The other half is R, that of the weights A. With D = R − A · Σ R, queries get q ⊙ (D/2 · c k), keys get
    k ⊙ (Dᵀ/2 · c q), and a bias m ⊙ D: nothing is divided by q kᵀ.
    """

    def carries(self, way: Way, count: int) -> tuple[bool, ...]:
        """All inputs get relevance."""
        return (True,) * count

    @property
    def keeps(self) -> str:
        """What a softmax does not conserve, and constant biases."""
        mask = _mask(dict(self.call.arguments))
        biased = isinstance(mask, Tensor) and mask.is_floating_point()
        return f"{_LOSING} and its additive biases" if biased else _LOSING

    def relevance(self, record: Trace, relevance: Tensor, rule: RelevanceRule | None) -> Signals:
        """Relevance of all inputs."""
        given = self.call.filled(*record.inputs)
        products, scores = _scored(given)
        weights, share = _weights(scores), divided(relevance, record.output) / 2
        change = _change(weights, weights * (share @ _for_heads(given, "value").mT), -1)
        shares, mask = {"value": weights.mT @ share}, _mask(given)
        if mask is not None and mask.is_floating_point():
            shares |= dict.fromkeys(_MASKS, change)
            biases = (rule is not None and rule.bias) or bool(_MASKS & set(self.names))
            change = change if biases else divided(_seen(scores) * change, products)
        change = change * _scale(given) / 2
        shares |= {"query": change @ _for_heads(given, "key"), "key": change.mT @ given["query"]}
        return self._named(given, shares)


_MASKS = {"attn_mask", "attn_bias"}


_LOSING = "attention's softmax"


def _mask(given: dict[str, Any]) -> Any:  # noqa: ANN401 - a tensor, what stands for one, or nothing
    return next((given[name] for name in _MASKS if given.get(name) is not None), None)


def _scale(given: dict[str, Any]) -> float:
    scale = given.get("scale")
    return float(given["query"].shape[-1] ** -0.5 if scale is None else scale)


def _for_heads(given: dict[str, Any], name: str) -> Tensor:
    """Keys or values, repeated for the heads that share them."""
    value: Tensor = given[name]
    if not given.get("enable_gqa"):
        return value
    return value.repeat_interleave(given["query"].shape[-3] // value.shape[-3], dim=-3)


def _scored(given: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The scaled products of queries and keys, without and with mask or bias."""
    products = _scale(given) * given["query"] @ _for_heads(given, "key").mT
    scores, mask = products, _mask(given)
    if given.get("is_causal"):
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if mask is not None:
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -torch.inf)
    return products, scores


def _weights(scores: Tensor) -> Tensor:
    """Attention's weights; a query that may see nothing has none."""
    return scores.softmax(dim=-1).nan_to_num(nan=0.0)


def _change(weights: Tensor, relevance: Tensor, dim: int) -> Tensor:
    """R − s · Σ R: the derivative of a softmax s, where R is s times a derivative."""
    return relevance - weights * relevance.sum(dim=dim, keepdim=True)


def _seen(value: Tensor) -> Tensor:
    """The values, with zero where they are masked (−∞), whose product with zero would be NaN."""
    return value.masked_fill(value.isinf(), 0.0)


def _shaped(share: Tensor, like: Tensor) -> Tensor:
    """A share summed to the shape of a value that was broadcast, or repeated for several heads."""
    if share.ndim > 2 and like.ndim > 2 and like.shape[-3] not in (1, share.shape[-3]):
        share = share.unflatten(-3, (like.shape[-3], -1)).sum(dim=-3)
    return share.sum_to_size(like.shape)
