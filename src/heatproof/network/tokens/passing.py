"""What an operation does with tokens: where they stand in its value, and how it is evaluated when some are left out.

``RULES`` has a rule for each ATen function that moves tokens or leaves each by itself; those that mix tokens have
theirs in ``mixing.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heatproof.network.operations import Call, PerImage, Size, Variable
from heatproof.network.tokens.layout import (
    PROBE,
    CannotDropError,
    Kept,
    Layout,
    alone,
    broadcast,
    has_positions,
    is_plain,
    length,
    of_shape,
    plain,
    regrouped,
    tokens_of,
    unweighted,
)

Evaluate = Callable[..., Tensor]  # (kept, *inputs) -> the value


@dataclass(frozen=True)
class Passed:
    """What a rule says.

    Attributes:
        layout: of the value.
        evaluate: computes it from values without the tokens that are left out; as it is, if none.
        masked: computes it from values of all tokens, as if some were left out; as it is, if none.
        mixes: whether tokens are mixed.
        needs: whether a patch must be left.
    """

    layout: Layout
    evaluate: Evaluate | None = None
    masked: Evaluate | None = None
    mixes: bool = False
    needs: bool = False


@dataclass(frozen=True)
class Read:
    """A call, where tokens stand in what it reads, and the shape of its value for ``PROBE`` images."""

    call: Call
    layouts: tuple[Layout, ...]  # of the variables, in order
    shape: tuple[int, ...]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever an argument is
        return self.call.arguments.get(name)

    @property
    def first(self) -> Layout:
        """The layout of the first variable."""
        return self.layouts[0]

    def dimension(self, name: str = "dim") -> int:
        """A dimension of the first variable, counted from its first."""
        return int(self[name]) % len(self.first)

    def layout(self, name: str) -> Layout:
        """The layout of the argument of this name, which may be the same variable as another with other tokens."""
        before = 0
        for other, value in self.call.arguments.items():
            if other == name and isinstance(value, Variable):
                return self.layouts[before]
            before += sum(isinstance(item, Variable) for item in (value if isinstance(value, list) else [value]))
        return self.layout_of(self[name])

    def layout_of(self, value: Any) -> Layout:  # noqa: ANN401 - a variable, a constant, or a number
        """The layout of an argument."""
        if isinstance(value, Variable):
            return self.layouts[self.call.variables.index(value)]
        if isinstance(value, PerImage):
            return of_shape(value.of(PROBE).shape)
        return of_shape(value.shape) if isinstance(value, Tensor) else ()


VALUES = (Variable, Tensor, PerImage)
Rule = Callable[[Read], Passed]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule of these ATen functions."""

    def register(function: Rule) -> Rule:
        assert not RULES.keys() & set(names)
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@rule(
    "view.default", "reshape.default", "flatten.using_ints", "unflatten.int", "squeeze.dim", "squeeze.dims",
    "squeeze.default", "unsqueeze.default",
)  # fmt: skip
def _view(read: Read) -> Passed:
    layout = regrouped(read.first, read.shape)
    return Passed(layout, lambda kept, value: value.reshape(kept.shape(layout)))


@rule("expand.default", "broadcast_to.default")
def _expand(read: Read) -> Passed:
    aligned = ((),) * (len(read.shape) - len(read.first)) + read.first
    layout = tuple(group or _new(size) for group, size in zip(aligned, read.shape, strict=True))
    return Passed(layout, lambda kept, value: value.expand(kept.shape(layout)))


def _new(size: int) -> Any:  # noqa: ANN401
    return of_shape([size])[0]


@rule(
    "permute.default", "transpose.int", "t.default", "mT.default", "adjoint.default", "movedim.int", "swapaxes.default",
    "swapdims.default",
)  # fmt: skip
def _permute(read: Read) -> Passed:
    count = len(read.first)
    numbered = torch.empty(tuple(range(2, 2 + count)), device="meta")
    found = read.call.function(**{**read.call.arguments, "self": numbered}).shape
    return Passed(tuple(read.first[size - 2] for size in found))


@rule("select.int")
def _select(read: Read) -> Passed:
    dimension, index = read.dimension(), read["index"]
    group = read.first[dimension]
    layout = read.first[:dimension] + read.first[dimension + 1 :]
    if is_plain(group):
        return Passed(layout)
    tokens = alone(group, "selects from")
    index %= tokens.size
    if index < tokens.before:
        return Passed(layout, lambda kept, value: value.select(dimension, index))
    if index < tokens.size - tokens.after:
        raise CannotDropError("one patch's token is read by its number")
    return Passed(layout, lambda kept, value: value.select(dimension, index - tokens.size))


@rule("narrow.default", "slice.Tensor")
def _slice(read: Read) -> Passed:
    dimension = read.dimension()
    group = read.first[dimension]
    if is_plain(group):
        return Passed(_with(read.first, dimension, plain(read.shape[dimension])))
    tokens = alone(group, "takes a part of")
    start = read["start"] or 0
    step, size = read["step"] or 1, read.shape[dimension]
    if isinstance(start, Size) or step != 1:
        raise CannotDropError("some patches' tokens are read by their numbers")
    start = min(start % tokens.size if start < 0 else start, tokens.size)
    left = tokens.size - start - size  # behind the part
    if start + size <= tokens.before:
        return Passed(_with(read.first, dimension, plain(size)), lambda kept, v: v.narrow(dimension, start, size))
    if left + size <= tokens.after:
        layout = _with(read.first, dimension, plain(size))
        return Passed(layout, lambda kept, v: v.narrow(dimension, v.shape[dimension] - left - size, size))
    if start > tokens.before or left > tokens.after:
        raise CannotDropError("some patches' tokens are read by their numbers")
    part = replace(tokens, size=size, before=tokens.before - start, after=tokens.after - left)
    layout = _with(read.first, dimension, (part,))
    return Passed(layout, lambda kept, v: v.narrow(dimension, start, v.shape[dimension] - start - left))


def _with(layout: Layout, dimension: int, group: Any) -> Layout:  # noqa: ANN401
    return (*layout[:dimension], group, *layout[dimension + 1 :])


@rule("cat.default", "concat.default")
def _cat(read: Read) -> Passed:
    parts = [read.layout_of(part) for part in read["tensors"]]
    dimension = int(read["dim"]) % len(parts[0])
    if any(atom.kind in ("batch", "rows", "columns") for part in parts for atom in part[dimension]):
        raise CannotDropError("maps of patches, or images, are put side by side")
    around = _together(read, read["tensors"], lambda part: _with(part, dimension, ()))
    groups = [part[dimension] for part in parts]
    holding = [number for number, group in enumerate(groups) if tokens_of(group)]
    if len(holding) > 1:
        raise CannotDropError("the tokens are put beside themselves")
    if not holding:
        whole = _with(around, dimension, plain(sum(map(length, groups))))
        return Passed(whole, with_selected(read, whole))
    tokens = alone(groups[holding[0]], "puts something beside")
    before, after = (sum(map(length, part)) for part in (groups[: holding[0]], groups[holding[0] + 1 :]))
    grown = replace(
        tokens, size=tokens.size + before + after, before=tokens.before + before, after=tokens.after + after
    )
    return Passed(_with(around, dimension, (grown,)))


@rule("stack.default")
def _stack(read: Read) -> Passed:
    around = _together(read, read["tensors"])
    dimension = int(read["dim"]) % (len(around) + 1)
    if any(not isinstance(part, Variable) for part in read["tensors"]) and has_positions(around):
        raise CannotDropError("tokens are stacked with constants")
    return Passed((*around[:dimension], plain(len(read["tensors"])), *around[dimension:]))


@rule("repeat.default", "tile.default", "constant_pad_nd.default", "pad.default", "glu.default")
def _larger(read: Read) -> Passed:
    """Only dimensions without tokens become longer."""
    aligned = ((),) * (len(read.shape) - len(read.first)) + read.first
    pairs = list(zip(aligned, read.shape, strict=True))
    if any(length(group) != size and not is_plain(group) for group, size in pairs):
        raise CannotDropError("the map of tokens is padded or repeated, as for windows or convolutions")
    return Passed(tuple(group if length(group) == size else _new(size) for group, size in pairs))


@rule("layer_norm.default", "rms_norm.default")
def _norm(read: Read) -> Passed:
    if not all(map(is_plain, read.first[-len(read["normalized_shape"]) :])):
        raise CannotDropError("a norm over all tokens")
    return Passed(unweighted(read.first))


def elementwise(read: Read) -> Passed:
    """The rule of what is computed place by place."""
    layout = _together(read, [value for value in read.call.arguments.values() if isinstance(value, VALUES)])
    keeps = read.call.name in ("mul.Tensor", "to.dtype", "mul.Scalar")
    return Passed(layout if keeps else unweighted(layout), with_selected(read, layout))


def _together(read: Read, values: Sequence[Any], of: Callable[[Layout], Layout] = lambda layout: layout) -> Layout:
    """The layout of what is computed place by place; constants as long as the tokens have a value for each."""
    base = broadcast([of(read.layout_of(value)) for value in values if isinstance(value, Variable)])
    constants = [of(read.layout_of(value)) for value in values if not isinstance(value, Variable)]
    return broadcast([base, *(fitted(own, base) for own in constants)])


def fitted(own: Layout, base: Layout) -> Layout:
    """The layout of a constant: dimensions as long as the tokens that they meet are tokens."""
    aligned = ((),) * (len(own) - len(base)) + base[max(0, len(base) - len(own)) :]
    return tuple(
        whole if group and is_plain(group) and length(group) == length(whole) else group
        for group, whole in zip(own, aligned, strict=True)
    )


def with_selected(read: Read, layout: Layout) -> Evaluate | None:
    """Evaluates a call whose constants have a value for each token, if they have: positions inside blocks."""
    listed = [value if isinstance(value, list) else [value] for value in read.call.arguments.values()]
    constants = [value for part in listed for value in part if isinstance(value, Tensor | PerImage)]
    if not any(_meets_tokens(read.layout_of(value), layout) for value in constants):
        return None

    def evaluate(kept: Kept, *inputs: Tensor) -> Tensor:
        return with_constants(read.call, kept, layout).for_batch(kept.batch, *inputs)  # type: ignore[no-any-return]

    return evaluate


def with_constants(call: Call, kept: Kept, layout: Layout) -> Call:
    """The call with those constants' values that belong to tokens that are left."""

    def chosen(value: Any) -> Any:  # noqa: ANN401 - whatever an argument is
        if isinstance(value, list):
            return [chosen(item) for item in value]
        if isinstance(value, PerImage):
            value = value.of(kept.batch)
        return kept.selected(value, layout) if isinstance(value, Tensor) else value

    return replace(call, arguments={name: chosen(value) for name, value in call.arguments.items()})


def _meets_tokens(own: Layout, layout: Layout) -> bool:
    aligned = layout[len(layout) - len(own) :]
    met = [whole for group, whole in zip(own, aligned, strict=True) if group and tokens_of(whole)]
    return bool([alone(whole, "has constants for") for whole in met])
