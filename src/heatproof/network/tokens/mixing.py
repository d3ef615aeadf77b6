"""Operations that mix tokens: attention, products by weights that add up to one, means and maxima over tokens.

Each has two ways to go without a token: ``evaluate``, where it is not there, and ``masked``, where its key is masked.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from heatproof.network.operations import PerImage, Variable
from heatproof.network.tokens.layout import (
    Atom,
    CannotDropError,
    Group,
    Kept,
    Layout,
    alone,
    broadcast,
    is_plain,
    plain,
    same,
    tokens_of,
    unweighted,
)
from heatproof.network.tokens.passing import Passed, Read, fitted, rule

POOLS = ("mean.dim", "amax.default", "amin.default", "max.dim", "min.dim")
NO_WEIGHTS = "tokens are added up by weights that are no softmax over them (linear or cross-covariance attention)"
FIXED = "tokens are mixed by fixed weights, one for each place"


def _needs(tokens: Atom) -> bool:
    """Whether nothing would be left without patches."""
    return tokens.before + tokens.after == 0


@rule("softmax.int", "_softmax.default")
def _softmax(read: Read) -> Passed:
    dimension, layout = read.dimension(), unweighted(read.first)
    if is_plain(layout[dimension]):
        return Passed(layout)
    tokens = alone(layout[dimension], "a softmax over")
    weighted = (*layout[:dimension], (replace(tokens, weighted=True),), *layout[dimension + 1 :])

    def masked(kept: Kept, value: Tensor) -> Tensor:
        return read.call(value + kept.bias(layout, dimension, value))  # type: ignore[no-any-return]

    return Passed(weighted, masked=masked, mixes=True, needs=_needs(tokens))


@rule("matmul.default", "bmm.default")
def _product(read: Read) -> Passed:
    names = ("self", "mat2" if "mat2" in read.call.arguments else "other")
    left, right = map(read.layout, names)
    if min(len(left), len(right)) < 2:
        raise CannotDropError("a product of a matrix and a vector")
    around = broadcast([left[:-2], right[:-2]])
    layout = unweighted((*around, left[-2], right[-1]))
    contracted = (left[-1], right[-2])
    mixes = _contracted(contracted)
    constants = [name for name in names if not isinstance(read[name], Variable)]
    if constants and any(tokens_of(group) for group in contracted):
        raise CannotDropError(FIXED)
    tokens = tokens_of(contracted[0])
    return Passed(layout, mixes=mixes, needs=tokens is not None and _needs(tokens))


def _contracted(groups: Sequence[Group]) -> bool:
    """Whether a sum of products is one over tokens, by weights; refuses other sums over them."""
    if all(map(is_plain, groups)):
        return False
    if not same(*groups):
        raise CannotDropError(FIXED)
    tokens = [alone(group, "a product over") for group in groups]
    if not any(one.weighted for one in tokens):
        raise CannotDropError(NO_WEIGHTS)
    return True


@rule("scaled_dot_product_attention.default")
def _attention(read: Read) -> Passed:
    query, key, value = map(read.layout, ("query", "key", "value"))
    if not all(is_plain(group) for group in (query[-1], key[-1], value[-1])) or not same(key[-2], value[-2]):
        raise CannotDropError("attention over channels")
    layout = unweighted((*query[:-1], value[-1]))
    tokens = tokens_of(key[-2])
    if tokens is None and tokens_of(query[-2]) is None:
        return Passed(layout)
    if read["is_causal"]:
        raise CannotDropError("causal attention, in which a token's place decides what it sees")
    scores = unweighted((*broadcast([query[:-2], key[:-2]]), query[-2], key[-2]))
    mask = read["attn_mask"]
    if mask is not None:
        broadcast([scores, fitted(read.layout_of(mask), scores)])
    evaluate = None if mask is None or isinstance(mask, Variable) else _with_mask(read, scores)
    if tokens is None:
        return Passed(layout, evaluate)
    alone(key[-2], "attention over")
    return Passed(layout, evaluate, _masked_attention(read, scores), mixes=True, needs=_needs(tokens))


def _with_mask(read: Read, scores: Layout) -> Any:  # noqa: ANN401
    """Attention with those rows and columns of a constant mask that are left, such as a table of relative positions."""

    def evaluate(kept: Kept, *inputs: Tensor) -> Tensor:
        mask = kept.selected(_constant(read["attn_mask"], kept), scores)
        call = replace(read.call, arguments={**read.call.arguments, "attn_mask": mask})
        return call.for_batch(kept.batch, *inputs)  # type: ignore[no-any-return]

    return evaluate


def _masked_attention(read: Read, scores: Layout) -> Any:  # noqa: ANN401
    def masked(kept: Kept, *inputs: Tensor) -> Tensor:
        bias, mask = kept.bias(scores, len(scores) - 1, inputs[0]), read["attn_mask"]
        if isinstance(mask, Variable):
            raise CannotDropError("attention with a mask that the network computes")
        if mask is not None:
            mask = _constant(mask, kept)
            bias = bias.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else bias + mask
        call = replace(read.call, arguments={**read.call.arguments, "attn_mask": bias})
        return call.for_batch(kept.batch, *inputs)  # type: ignore[no-any-return]

    return masked


def _constant(value: Any, kept: Kept) -> Tensor:  # noqa: ANN401 - a tensor, or one for each image
    found: Tensor = value.of(kept.batch) if isinstance(value, PerImage) else value
    return found


@rule(*POOLS, "sum.dim_IntList", "linalg_vector_norm.default", "std.correction", "var.correction")
def _reduced(read: Read) -> Passed:
    along = read["dim"]
    if along is None:
        raise CannotDropError("a number computed of all images")
    numbers = {int(number) % len(read.first) for number in (along if isinstance(along, list | tuple) else [along])}
    layout = unweighted(
        tuple(
            () if number in numbers else group
            for number, group in enumerate(read.first)
            if number not in numbers or read["keepdim"]
        )
    )
    pooled = [number for number in numbers if not is_plain(read.first[number])]
    if not pooled:
        return Passed(layout)
    if len(pooled) > 1:
        raise CannotDropError("a number computed over several dimensions of tokens")
    tokens = alone(read.first[pooled[0]], "a number computed over")
    if read.call.name == "sum.dim_IntList" and tokens.weighted:
        return Passed(layout, mixes=True, needs=_needs(tokens))
    if read.call.name not in POOLS:
        raise CannotDropError("a sum or a norm over tokens, which falls with their number")
    return _pooled(read, layout)


@rule("adaptive_avg_pool1d.default")
def _mean(read: Read) -> Passed:
    if list(read["output_size"]) != [1] or tokens_of(read.first[-1]) is None:
        raise CannotDropError("a mean over windows of tokens")
    alone(read.first[-1], "a mean over")
    return _pooled(read, (*unweighted(read.first)[:-1], plain(1)))


def _pooled(read: Read, layout: Layout) -> Passed:
    """A mean or a maximum over the tokens that are left."""
    tokens = next(tokens for tokens in map(tokens_of, read.first) if tokens)

    def masked(kept: Kept, value: Tensor) -> Tensor:
        found = read.call.for_batch(kept.batch, kept.selected(value, read.first))
        first: Tensor = found[0] if isinstance(found, tuple) else found
        return first

    return Passed(layout, masked=masked, mixes=True, needs=_needs(tokens))
