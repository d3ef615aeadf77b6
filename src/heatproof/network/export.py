"""From a torch module to a graph, by ``torch.export``."""

import inspect
import operator
import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from heatproof.errors import InputError
from heatproof.network.folding import fold_batch_norms
from heatproof.network.graph import Graph, Node
from heatproof.network.operations import OPERATIONS, Call, Variable
from heatproof.network.operations.normalization import AsOneOperation

_NOTHING = ("contiguous", "clone", "detach", "alias", "to", "_assert_tensor_metadata")
_IDENTITIES = frozenset({"dropout", "feature_dropout", "alpha_dropout", *_NOTHING})
_PARTS = {"chunk.default": "chunks", "split.Tensor": "split_size", "split_with_sizes.default": "split_sizes"}


def export(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The graph of ``module`` for images of ``shape`` (C, H, W), for any batch size.

    Operations that change nothing (dropout in evaluation, copies) are left out; whatever does not depend on the image
    is computed now; batch norms are folded into the convolutions before them.

    Raises:
        InputError: if the module cannot be exported, or has an operation that heatproof does not know.
    """
    reader = _Reader(_exported_program(module, shape))
    return fold_batch_norms(reader.graph(shape))


def _exported_program(module: nn.Module, shape: tuple[int, ...]) -> torch.export.ExportedProgram:
    parameter = next(module.parameters(), torch.zeros(()))
    sample = torch.zeros(2, *shape, dtype=parameter.dtype, device=parameter.device)
    try:
        with warnings.catch_warnings(), AsOneOperation():
            warnings.simplefilter("ignore")  # the exporter's own notices
            # several outputs or inputs of another form fail in the reader, with a message of their own
            return torch.export.export(module, (sample,), dynamic_shapes=_dynamic_shapes(module))
    except Exception as error:  # the exporter raises dozens of types
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"the model cannot be exported by torch.export: {reason}") from error


def _dynamic_shapes(module: nn.Module) -> tuple[Any, ...]:
    """The size of the batch is free; ``forward(self, *images)`` has one argument more around it."""
    free = {0: torch.export.Dim("batch", min=1)}
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    return ((free,),) if kinds[:1] == [inspect.Parameter.VAR_POSITIONAL] else (free,)


class _Reader:
    """Reads the nodes of an exported program in order; ``values`` maps each to what stands for it."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.values: dict[fx.Node, Any] = {}
        self.nodes: list[Node] = []

    def graph(self, shape: tuple[int, ...]) -> Graph:
        signature = self.program.graph_signature
        constants = self._constants(signature)
        output: Any = None
        name = signature.user_inputs[0]
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = constants[node.name] if node.name in constants else Variable(str(name), shape)
            elif node.op == "call_function":
                self._read(node)
            elif node.op == "output":
                output = self._value(node.args[0][0]) if len(node.args[0]) == 1 else None
        if not isinstance(output, Variable) or len(output.shape) != 1:
            raise InputError(
                "the model must return one tensor of class scores of shape (B, classes) that depends on the image, "
                f"got {self._described(output)}; wrap it in a module that returns the logits"
            )
        return Graph(str(name), tuple(_read(self.nodes, output.name)), output.name, shape)

    def _constants(self, signature: torch.export.ExportGraphSignature) -> dict[str, Tensor]:
        stored: dict[str, Any] = {**self.program.state_dict, **self.program.constants}
        names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        return {placeholder: stored[name].detach() for placeholder, name in names.items()}

    @staticmethod
    def _described(output: Any) -> str:  # noqa: ANN401
        return f"(B, {', '.join(map(str, output.shape))})" if isinstance(output, Variable) else "something else"

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
        elif not isinstance(function, torch._ops.OpOverload) or str(function) == "aten.sym_size.int":
            self.values[node] = _symbol(node)
        else:
            call = self._call(node, function)
            if not call.variables:
                self.values[node] = call()
            elif _name(call).split(".")[0] in _IDENTITIES or _is_whole_slice(call):
                self.values[node] = self._identity(call, node)
            elif _name(call) in _PARTS:
                self.values[node] = call  # its parts are read one by one
            else:
                self.values[node] = self._add(call, node)
                if function._schema.is_mutable:
                    self._update_in_place(node)

    def _call(self, node: fx.Node, function: torch._ops.OpOverload) -> Call:
        arguments = _bind(function, node.args, node.kwargs)
        values = {name: self._value(value) for name, value in arguments.items()}
        for name, value in values.items():
            if isinstance(value, list) and any(isinstance(item, _Symbol) for item in value):
                values[name] = _with_free_batch(node)
        if any(isinstance(value, _Symbol) for value in values.values()):
            raise InputError(f"{_place(node)} depends on the batch size in a way that heatproof cannot follow")
        if str(function) == "aten.view.default":  # a view needs a memory layout that only the original model has
            return Call(torch.ops.aten.reshape.default, {"self": values["self"], "shape": values["size"]})
        if str(function) == "aten.unsqueeze.default" and values["dim"] == 1 and _is_channel(node.args[0]):
            # x[:, c].unsqueeze(1), as torchvision's GoogLeNet scales its channels, is a map throughout: x[:, c : c + 1]
            source, _, channel = cast("fx.Node", node.args[0]).args
            chosen = {"self": self._value(source), "dim": 1, "start": channel, "length": 1}
            return Call(torch.ops.aten.narrow.default, chosen)
        return Call(_functional(function), values)

    def _add(self, call: Call, node: fx.Node) -> Variable:
        known = OPERATIONS.get(_name(call))
        if known is None:
            raise InputError(f"heatproof does not know the operation {_name(call)} at {_place(node)}")
        value = node.meta["val"]
        if not isinstance(value, Tensor):
            value = value[0]
        shape = tuple(int(size) for size in value.shape[1:])
        variables = call.variables
        self.nodes.append(Node(node.name, known.read(call), tuple(v.name for v in variables), _place(node), shape))
        return Variable(node.name, shape)

    def _identity(self, call: Call, node: fx.Node) -> Variable:
        if call.arguments.get("train"):
            raise InputError(f"{_place(node)} drops values at random even in evaluation; heatmaps need a fixed network")
        return call.variables[0]

    def _part(self, node: fx.Node) -> Any:  # noqa: ANN401
        source, index = cast("tuple[fx.Node, int]", node.args)
        whole = self.values[source]
        if not isinstance(whole, Call):
            return whole if isinstance(whole, Variable) else whole[index]
        dimension = whole.arguments["dim"]
        sizes = [part.shape[dimension] for part in source.meta["val"]]
        narrow = Call(
            torch.ops.aten.narrow.default,
            {"self": whole.variables[0], "dim": dimension, "start": sum(sizes[:index]), "length": sizes[index]},
        )
        return self._add(narrow, node)

    def _update_in_place(self, node: fx.Node) -> None:
        """After ``x.relu_()``, whoever reads x reads the new value; views of x would need more, so they are refused."""
        changed = cast("fx.Node", node.args[0])
        related = [changed, *changed.users]
        if any(other is not node and _is_view(other) for other in related):
            raise InputError(f"{_place(node)} changes a view of another value in place; use its out-of-place form")
        self.values[changed] = self.values[node]


class _Symbol:
    """A size that depends on the batch."""


def _symbol(node: fx.Node) -> Any:  # noqa: ANN401
    value = node.meta["val"]
    return _Symbol() if isinstance(value, torch.SymInt) else value


def _with_free_batch(node: fx.Node) -> list[int]:
    """Sizes of a value, leaving open the batch, which must come first and stand alone."""
    shape = node.meta["val"].shape
    if any(isinstance(size, torch.SymInt) for size in shape[1:]) or "expand" in str(node.target):
        raise InputError(f"{_place(node)} depends on the batch size in a way that heatproof cannot follow")
    return [-1, *map(int, shape[1:])]


def _bind(function: torch._ops.OpOverload, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    schema = function._schema.arguments
    bound = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    bound |= dict(zip([argument.name for argument in schema], positional, strict=False)) | dict(named)
    return {argument.name: bound[argument.name] for argument in schema}


def _functional(function: torch._ops.OpOverload) -> torch._ops.OpOverload:
    """``relu`` for ``relu_``."""
    if function.namespace != "aten":
        return function
    packet, overload = str(function).removeprefix("aten.").split(".")
    if not packet.endswith("_"):
        return function
    plain: torch._ops.OpOverload = getattr(getattr(torch.ops.aten, packet.removesuffix("_")), overload)
    return plain


def _name(call: Call) -> str:
    return str(call.function).removeprefix("aten.")


def _is_view(node: fx.Node) -> bool:
    function = node.target
    if not isinstance(function, torch._ops.OpOverload):
        return function is operator.getitem
    if str(function).removeprefix("aten.") in _PARTS:
        return True
    return any(r.alias_info is not None and not r.alias_info.is_write for r in function._schema.returns)


def _is_whole_slice(call: Call) -> bool:
    """Whether it takes everything, as ``x[:]`` does."""
    given = call.arguments
    if _name(call) != "slice.Tensor" or given["step"] != 1:
        return False
    return given["start"] in (None, 0) and given["end"] in (None, torch.iinfo(torch.int64).max)


def _is_channel(argument: Any) -> bool:  # noqa: ANN401
    """Whether this is one channel of a value."""
    return isinstance(argument, fx.Node) and str(argument.target) == "aten.select.int" and bool(argument.args[1] == 1)


def _read(nodes: list[Node], output: str) -> list[Node]:
    """The nodes that the output depends on, in order."""
    wanted = {output}
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
    return [node for node in nodes if node.name in wanted]


def _place(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    path = [name for name, _ in stack.values()]
    kind = str(getattr(node.target, "__name__", node.target)).split(".")[0].strip("_")
    return f"{path[-1]} ({kind})" if path and path[-1] else f"the model's own {kind}"
