"""Nodes of an exported program: where they stand, what they call, and how their sizes depend on the batch."""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx

from heatproof.errors import InputError
from heatproof.network.operations import Call, Size, Variable


def place(node: fx.Node) -> str:
    """Where a node stands in the model, for messages."""
    stack = node.meta.get("nn_module_stack") or {}
    path = [name for name, _ in stack.values()]
    kind = str(getattr(node.target, "__name__", node.target)).split(".")[0].strip("_")
    return f"{path[-1]} ({kind})" if path and path[-1] else f"the model's own {kind}"


def parameters(
    node: fx.Node, varies: Callable[[fx.Node], bool], signature: torch.export.ExportGraphSignature
) -> tuple[str, ...]:
    """Names of the parameters that a node reads, or that constants are made of which it reads."""
    named = signature.inputs_to_parameters
    waiting, seen = [node], {node}
    while waiting:
        before = [one for one in waiting.pop().all_input_nodes if one not in seen and not varies(one)]
        seen.update(before)
        waiting.extend(before)
    return tuple(sorted(named[node.name] for node in seen if node.op == "placeholder" and node.name in named))


def symbol(value: Any, node: fx.Node) -> Any:  # noqa: ANN401 - a size or whatever else a node computes
    """A length as it depends on the batch; anything else as it is."""
    if not isinstance(value, torch.SymInt):
        return value
    expression = value.node.expr
    names = sorted(expression.free_symbols, key=str)
    if not names:
        return int(expression)
    if len(names) == 1:
        one, two, five = (int(expression.subs(names[0], batch)) for batch in (1, 2, 5))
        times, plus = two - one, 2 * one - two
        if five == 5 * times + plus and times > 0:
            return Size(times, plus)
    raise InputError(f"{place(node)} depends on the batch size in a way that heatproof cannot follow")


def added(lengths: Sequence[int | Size]) -> int | Size:
    """The sum of lengths."""
    times = sum(length.times for length in lengths if isinstance(length, Size))
    plus = sum(length.plus if isinstance(length, Size) else length for length in lengths)
    return Size(times, plus) if times else plus


def variable(name: str, value: Tensor, node: fx.Node) -> Variable:
    """The variable that stands for a value, with its shape for one image."""
    sizes = [symbol(size, node) for size in value.shape]
    growing = [(dimension, size) for dimension, size in enumerate(sizes) if isinstance(size, Size)]
    batched = [dimension for dimension, _ in growing] == [0] and growing[0][1] == Size(1)
    one = tuple(size.of(1) if isinstance(size, Size) else size for size in sizes)
    return Variable(name, one[1:] if batched else one, batched, growing[0] if growing else None)


def with_free_batch(node: fx.Node) -> list[int | Size]:
    """Sizes of a value; where the batch comes first and stands alone, it is left open."""
    sizes = [symbol(size, node) for size in node.meta["val"].shape]
    if any(isinstance(size, Size) for size in sizes[1:]):
        return sizes
    return [-1, *sizes[1:]]


def bind(function: torch._ops.OpOverload, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name, with defaults."""
    schema = function._schema.arguments
    bound = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    bound |= dict(zip([argument.name for argument in schema], positional, strict=False)) | dict(named)
    return {argument.name: bound[argument.name] for argument in schema}


def functional(function: torch._ops.OpOverload, node: fx.Node) -> torch._ops.OpOverload:
    """``relu`` for ``relu_``."""
    if function.namespace != "aten" or not function._schema.is_mutable:
        return function
    packet, overload = str(function).removeprefix("aten.").split(".")
    plain: torch._ops.OpOverload | None = getattr(
        getattr(torch.ops.aten, packet.removesuffix("_"), None), overload, None
    )
    if plain is None or not packet.endswith("_"):
        raise InputError(f"{place(node)} changes a value in place in a way that heatproof cannot follow")
    return plain


def is_view(node: fx.Node, parts: Collection[str]) -> bool:
    """Whether a node returns a view of what it reads; ``parts`` are calls that return several."""
    function = node.target
    if not isinstance(function, torch._ops.OpOverload):
        return function is operator.getitem
    if str(function).removeprefix("aten.") in parts:
        return True
    return any(r.alias_info is not None and not r.alias_info.is_write for r in function._schema.returns)


def is_copy(node: fx.Node) -> bool:
    """Whether a value is written over another of the same type, as ``x[:] = y`` is without changes in place."""
    if str(node.target) != "aten.copy.default":
        return False
    return bool(cast("fx.Node", node.args[1]).meta["val"].dtype == node.meta["val"].dtype)


def is_whole_slice(call: Call) -> bool:
    """Whether it takes everything, as ``x[:]`` does."""
    given = call.arguments
    if call.name != "slice.Tensor" or given["step"] != 1:
        return False
    return given["start"] in (None, 0) and given["end"] in (None, torch.iinfo(torch.int64).max)


def is_channel(argument: Any) -> bool:  # noqa: ANN401
    """Whether this is one channel of a value."""
    return isinstance(argument, fx.Node) and str(argument.target) == "aten.select.int" and bool(argument.args[1] == 1)


def check_fixed(call: Call, function: torch._ops.OpOverload, node: fx.Node) -> None:
    """Refuses what draws random numbers."""
    given = call.arguments
    if given.get("train"):
        raise InputError(f"{place(node)} drops values at random even in evaluation; heatmaps need a fixed network")
    switches = [given[name] for name in ("train", "training", "dropout_p") if name in given]
    if torch.Tag.nondeterministic_seeded in function.tags and (not switches or any(switches)):
        raise InputError(f"{place(node)} draws random numbers; heatmaps need a fixed network")
