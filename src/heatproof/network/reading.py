"""Reads the nodes of an exported program, one after the other."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, fx

from heatproof.errors import InputError
from heatproof.network.exported import (
    added,
    bind,
    check_fixed,
    functional,
    is_channel,
    is_copy,
    is_view,
    is_whole_slice,
    parameters,
    place,
    symbol,
    variable,
    with_free_batch,
)
from heatproof.network.graph import Graph, Node
from heatproof.network.operations import OPERATIONS, Call, Opaque, Operation, PerImage, Size, Variable
from heatproof.network.operations.weighted import same_spans

_IDENTITIES = {
    "dropout", "feature_dropout", "alpha_dropout", "dropout2d", "contiguous", "clone", "detach", "alias",
    "lift_fresh_copy", "lift_fresh",
}  # fmt: skip
_CASTS = {"to", "type_as", "_to_copy"}
_PARTS = {"chunk.default", "split.Tensor", "split.sizes", "split_with_sizes.default", "tensor_split.sections"}
_VIEWS = {f"aten.{name}.default" for name in ("view", "_unsafe_view", "reshape", "view_as", "reshape_as")}
_AUTOCAST = "no rule leads through a part in another precision (autocast)"
_ALIKE = {  # constants in the shape of a value, and what they hold
    "aten.zeros_like.default": 0, "aten.ones_like.default": 1, "aten.full_like.default": None,
    "aten.new_zeros.default": 0, "aten.new_ones.default": 1, "aten.new_full.default": None,
}  # fmt: skip


class ViewChangedError(InputError):
    """A view of another value is changed in place, which the reader does not follow."""


@dataclass(frozen=True)
class _Several:
    """A call with several results: they are read one by one, but for a known operation's, which is its first."""

    call: Call
    first: Variable | None = None


class ProgramReader:
    """Reads the nodes of an exported program in order; ``values`` maps each to what stands for it.

    ``weights`` by name take the place of the program's.
    """

    def __init__(self, program: torch.export.ExportedProgram, weights: Mapping[str, Tensor] | None = None) -> None:
        self.program, self.weights = program, program.state_dict if weights is None else weights
        self.values: dict[fx.Node, Any] = {}
        self.nodes: list[Node] = []
        self.prefix = ""  # of names inside a part of the program

    def graph(self, shape: tuple[int, ...]) -> Graph:
        """The graph for images of ``shape`` (C, H, W)."""
        constants = _constants(self.program, self.weights)
        name = str(self.program.graph_signature.user_inputs[0])
        for node in _placeholders(self.program.graph_module):
            self.values[node] = constants[node.name] if node.name in constants else Variable(name, shape)
        returned = self._read_all(self.program.graph_module)
        output = returned[0] if len(returned) == 1 else None
        if not isinstance(output, Variable) or not output.batched or len(output.shape) != 1:
            came = f"(B, {', '.join(map(str, output.shape))})" if isinstance(output, Variable) else "something else"
            raise InputError(
                "the model must return one tensor of class scores of shape (B, classes) that depends on the image, "
                f"got {came}; wrap it in a module that returns the logits"
            )
        return Graph(name, (), output.name, shape).with_nodes(tuple(self.nodes), output.name)

    def _read_all(self, module: fx.GraphModule) -> list[Any]:
        """Reads a program or a part of it; what it returns."""
        returned: list[Any] = []
        for node in module.graph.nodes:
            if node.op == "get_attr":
                self.values[node] = getattr(module, str(node.target))
            elif node.op == "call_function":
                self._read(node)
            elif node.op == "output":
                returned = list(self._value(node.args[0]))
        return returned

    def _value(self, argument: Any) -> Any:  # noqa: ANN401
        if isinstance(argument, fx.Node):
            return self.values[argument]
        if isinstance(argument, (list, tuple)):
            return [self._value(item) for item in argument]
        return argument

    def _read(self, node: fx.Node) -> None:
        function = node.target
        if function is operator.getitem:
            self.values[node] = self._part(node)
        elif isinstance(function, torch._ops.HigherOrderOperator):
            self.values[node] = self._region(node, function)
        elif not isinstance(function, torch._ops.OpOverload) or str(function) == "aten.sym_size.int":
            self.values[node] = symbol(node.meta.get("val"), node)
        elif not function.name().startswith("aten::_assert"):
            call = self._call(node, function)
            if node.users or function._schema.is_mutable:
                check_fixed(call, function, node)
            packet = call.name.split(".")[0]
            if not call.variables:
                self.values[node] = _constant(call, function, node)
            elif packet in _IDENTITIES or is_whole_slice(call):
                self.values[node] = call.variables[0]
            elif packet in _CASTS:
                self.values[node] = self._cast(call, node)
            else:
                self.values[node] = self._several(call, node)
                if function._schema.is_mutable:
                    self._update_inplace(node)

    def _call(self, node: fx.Node, function: torch._ops.OpOverload) -> Call:
        values = {name: self._value(value) for name, value in bind(function, node.args, node.kwargs).items()}
        if str(function) in _VIEWS:  # a view needs a memory layout that only the original model has
            sizes = values.get("size", values.get("shape"))
            free = sizes is None or any(isinstance(size, Size) for size in sizes)
            shape = with_free_batch(node) if free else sizes
            return Call(torch.ops.aten.reshape.default, {"self": values["self"], "shape": shape})
        if str(function) == "aten.expand_as.default" or is_copy(node):
            sizes = [symbol(size, node) for size in node.meta["val"].shape]
            return Call(torch.ops.aten.expand.default, {"self": values.get("src", values["self"]), "size": sizes})
        if str(function) in _ALIKE:
            like = node.meta["val"]
            given = {"dtype": like.dtype, "layout": None, "device": like.device, "pin_memory": False}
            sizes = [symbol(size, node) for size in like.shape]
            filled = {"size": sizes, "fill_value": values.get("fill_value", _ALIKE[str(function)])}
            return Call(torch.ops.aten.full.default, filled | given)
        if str(function) == "aten.unsqueeze.default" and values["dim"] == 1 and is_channel(node.args[0]):
            # x[:, c].unsqueeze(1), as torchvision's GoogLeNet scales its channels, is a map throughout: x[:, c : c + 1]
            source, _, channel = cast("fx.Node", node.args[0]).args
            chosen = {"self": self._value(source), "dim": 1, "start": channel, "length": 1}
            return Call(torch.ops.aten.narrow.default, chosen)
        if torch.Tag.pointwise in function.tags:  # one image's constant is broadcast like those of all images
            values = {n: v.row if isinstance(v, PerImage) and v.row is not None else v for n, v in values.items()}
        if any(isinstance(value, _Several) for value in values.values()):
            raise InputError(f"{place(node)} reads several results at once in a way that heatproof cannot follow")
        return Call(functional(function, node), values)

    def _several(self, call: Call, node: fx.Node) -> Variable | _Several:
        """What stands for a call: its value, or several of them."""
        if isinstance(node.meta["val"], Tensor):
            return self._add(call, node)
        known = call.name in OPERATIONS
        return _Several(call, self._add(call, node) if known else None)

    def _add(self, call: Call, node: fx.Node) -> Variable:
        value = node.meta["val"]
        value = value if isinstance(value, Tensor) else value[0]
        if call.name == "conv2d.padding" and call.arguments["padding"] == "same":
            call = self._padded(call, node)
        known = OPERATIONS.get(call.name)
        operation = Opaque(call) if known is None else known.read(call)
        return self._append(operation, call.variables, node, value)

    def _append(
        self, operation: Operation, read: tuple[Variable, ...], node: fx.Node, value: Tensor, suffix: str = ""
    ) -> Variable:
        found = variable(f"{self.prefix}{node.name}{suffix}", value, node)
        names = tuple(one.name for one in read)
        about = (found.shape, found.batched, found.batch, parameters(node, self._varies, self.program.graph_signature))
        self.nodes.append(Node(found.name, operation, names, place(node), *about, dtype=value.dtype))
        return found

    def _varies(self, node: fx.Node) -> bool:
        """Whether a value depends on the image."""
        return isinstance(self.values.get(node), Variable | _Several)

    def _cast(self, call: Call, node: fx.Node) -> Variable:
        """A value in another precision, if it is another."""
        dtype = node.meta["val"].dtype
        if dtype == cast("fx.Node", node.args[0]).meta["val"].dtype:
            return call.variables[0]
        return self._add(Call(torch.ops.aten.to.dtype, {"self": call.variables[0], "dtype": dtype}), node)

    def _padded(self, call: Call, node: fx.Node) -> Call:
        """Puts a padding before a convolution with ``padding="same"`` and an even kernel, which pads unevenly."""
        spans = same_spans(call)
        if not any(span % 2 for span in spans) or len(call.variables) != 1:
            return call
        (read,) = call.variables
        amounts = [side for span in reversed(spans) for side in (span // 2, span - span // 2)]
        pad = Call(torch.ops.aten.constant_pad_nd.default, {"self": read, "pad": amounts, "value": 0})
        shape = (read.shape[0], *(size + span for size, span in zip(read.shape[1:], spans, strict=True)))
        padded = replace(read, name=f"{self.prefix}{node.name}.padded", shape=shape)
        operation = OPERATIONS[pad.name].read(pad)
        about = (shape, read.batched, read.batch)
        dtype = node.meta["val"].dtype
        self.nodes.append(Node(padded.name, operation, (read.name,), place(node), *about, dtype=dtype))
        return Call(torch.ops.aten.conv2d.default, {**call.arguments, "input": padded, "padding": [0, 0]})

    def _part(self, node: fx.Node) -> Any:  # noqa: ANN401
        source, index = cast("tuple[fx.Node, int]", node.args)
        whole = self.values[source]
        if not isinstance(whole, _Several):
            return whole[index]
        call = whole.call
        if whole.first is not None and index == 0:
            return whole.first
        along = {"self": call.variables[0], "dim": call.arguments.get("dim")}
        if call.name == "unbind.int":
            return self._add(Call(torch.ops.aten.select.int, along | {"index": index}), node)
        if call.name not in _PARTS:
            return self._append(Opaque(call, index=index), call.variables, node, node.meta["val"])
        lengths = [symbol(part.shape[along["dim"]], node) for part in source.meta["val"]]
        given = along | {"start": added(lengths[:index]), "length": lengths[index]}
        return self._add(Call(torch.ops.aten.narrow.default, given), node)

    def _region(self, node: fx.Node, function: torch._ops.HigherOrderOperator) -> Any:  # noqa: ANN401
        """A part of the program: under ``no_grad`` it computes the same, under ``autocast`` in another precision."""
        name, given = function.name(), [self._value(argument) for argument in node.args]
        if name == "wrap_with_set_grad_enabled":
            return self._inside(node, given[1], given[2:])
        if name == "wrap_with_autocast" and not given[2]:
            return self._inside(node, given[4], given[5:])
        if name != "wrap_with_autocast" or any(not isinstance(read, Tensor | Variable) for read in given[5:]):
            raise InputError(f"heatproof cannot follow {name} at {place(node)}")
        device, dtype, _, _, module, *read = given
        call = Call(module, dict(zip([inner.name for inner in _placeholders(module)], read, strict=True)))
        part = _under_autocast(call, device, dtype)
        return [
            self._append(Opaque(part, _AUTOCAST, index), call.variables, node, value, f".{index}")
            for index, value in enumerate(node.meta["val"])
        ]

    def _inside(self, node: fx.Node, module: fx.GraphModule, given: list[Any]) -> list[Any]:
        before, self.prefix = self.prefix, f"{self.prefix}{node.name}."
        self.values.update(zip(_placeholders(module), given, strict=True))
        returned = self._read_all(module)
        self.prefix = before
        return returned

    def _update_inplace(self, node: fx.Node) -> None:
        """After ``x.relu_()``, whoever reads x reads the new value; views of x would need more."""
        changed = cast("fx.Node", node.args[0])
        related = [changed, *changed.users]
        if any(other is not node and is_view(other, _PARTS) for other in related):
            raise ViewChangedError(f"{place(node)} changes a view of another value in place; use its out-of-place form")
        self.values[changed] = self.values[node]


def _placeholders(module: fx.GraphModule) -> list[fx.Node]:
    return [node for node in module.graph.nodes if node.op == "placeholder"]


def _constants(program: torch.export.ExportedProgram, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters, buffers and other constants, by placeholder."""
    stored: dict[str, Any] = {**weights, **program.constants}
    signature = program.graph_signature
    parameters = signature.inputs_to_parameters
    names = {**parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    found = {placeholder: stored[name].detach() for placeholder, name in names.items()}
    # autograd refuses what was made in inference mode; what is no parameter may be changed in place
    return {n: value.clone() if value.is_inference() or n not in parameters else value for n, value in found.items()}


def _under_autocast(part: Call, device: str, dtype: torch.dtype | None) -> Callable[..., Any]:
    """A part of a program that is computed in another precision."""

    def computed(*inputs: Tensor) -> Any:  # noqa: ANN401 - whatever the part returns
        with torch.autocast(device, dtype=dtype):
            return part(*inputs)

    return computed


def _constant(call: Call, function: torch._ops.OpOverload, node: fx.Node) -> Any:  # noqa: ANN401 - whatever it is
    """What a call without images returns; ``mask[:2] = 1`` changes the mask as the model does."""
    changes = function._schema.is_mutable
    if not call.sized:
        return Call(function, call.arguments)() if changes else call()
    if changes:
        raise ViewChangedError(f"{place(node)} changes a constant as large as the batch in place")
    value = node.meta["val"]
    if not isinstance(value, Tensor):
        raise InputError(f"{place(node)} depends on the batch size in a way that heatproof cannot follow")
    found = variable(node.name, value, node)
    few, more = call.for_batch(2), call.for_batch(3)
    same = found.batched or (found.batch is not None and found.batch[0] == 0)
    same = same and all(torch.equal(rows, few[:1].expand_as(rows)) for rows in (few, more))
    return PerImage(call, few[:1].clone() if same else None)
