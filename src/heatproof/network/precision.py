"""In which precision a network is evaluated: its own, TF32 on tensor cores, or bfloat16.

Heatmaps and predictions are always computed in the network's own precision, with TF32 off: torch would let cuDNN round
the factors of convolutions to ten bits. Where perturbed images are evaluated in another one, a copy of the network does
it: it is made once, and its last weighted layers and all that follows stay as they are, since logits in bfloat16 would
have eight bits.
"""

import copy
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heatproof.defaults import FLOAT32
from heatproof.errors import InputError
from heatproof.network.contract import trial_images
from heatproof.network.exact import multiplying
from heatproof.network.forward import check_logits
from heatproof.network.graph import Graph, Node
from heatproof.network.incremental.planner import Planner
from heatproof.network.network import Network
from heatproof.network.operations import Call, Opaque, Operation, PerImage
from heatproof.network.operations.weighted import Weighted
from heatproof.network.tokens import CannotDropError, Tokens
from heatproof.network.tokens.unread import without_unread
from heatproof.network.trial import Trial, once

BFLOAT16 = torch.bfloat16


def in_precision(network: Network, precision: str) -> Network:
    """The network as it evaluates perturbed images in ``precision``; made once for each.

    Raises:
        InputError: where it cannot.
    """
    if precision == FLOAT32:
        return network
    if precision not in network.copies:
        network.copies[precision] = KINDS[precision](network)
    return network.copies[precision]


class _Copy(Network):
    """The same network, evaluated in another way: what is known of its graph is shared, what it costs is not."""

    def __init__(self, of: Network) -> None:
        vars(self).update(vars(of))
        self.of = of
        self.planner = Planner(torch.empty((), dtype=self.dtype, device=self.device))


class InTF32(_Copy):
    """Factors of convolutions and matrix products are rounded to ten bits, and added up in float32."""

    tf32 = True

    def __init__(self, of: Network) -> None:
        if of.device.type != "cuda":
            raise InputError(
                f"precision tf32 needs an NVIDIA GPU, and {of.name} is on {of.device.type}: give --device cuda, or "
                "choose precision float32 or bf16"
            )
        super().__init__(of)

    def trial(self, shape: tuple[int, ...], images: Tensor | None = None) -> Trial:
        """That of the network."""
        return self.of.trial(shape, images)


class InBFloat16(_Copy):
    """Everything before the last weighted layer is computed in bfloat16."""

    def __init__(self, of: Network) -> None:
        super().__init__(of)
        self.dtype = BFLOAT16
        self.planner = Planner(torch.empty((), dtype=BFLOAT16, device=self.device))
        self._trials, self._tokens, self._attention = {}, {}, {}

    def trial(self, shape: tuple[int, ...], images: Tensor | None = None) -> Trial:
        """That of the network, with the graph in bfloat16, which is tried."""
        known = self.of.trial(shape, images)
        graph = known.graph
        if isinstance(graph, InputError):
            raise InputError(f"precision bf16 needs the graph of the network, and {self.name} has none: {graph}")
        own = graph  # as mypy knows it

        def made() -> Trial:
            rounded = in_bfloat16(own, self.of.dtype)
            shorter = known.scoring is not known.graph
            scoring = without_unread(rounded, self.planner.like) if shorter else rounded
            with multiplying(tf32=False):
                check_logits(scoring.evaluate(self.inputs(trial_images(images, shape))))
            return replace(known, graph=rounded, scoring=scoring)

        why = f"{self.name} cannot be evaluated with precision bf16, choose float32: "
        return once(self._trials, shape, made, lambda reason: InputError(why + reason))

    def inputs(self, images: Tensor) -> Tensor:
        """(B, C, H, W) what the module gets, normalised before it is rounded."""
        return self.of.inputs(images).to(BFLOAT16)

    def tokens(self, shape: tuple[int, ...]) -> Tokens:
        """The sequence of tokens; that patches can be left out was checked in the network's own precision."""
        self.of.tokens(shape)
        graph = self.graph(shape, unread=False)
        return once(self._tokens, shape, lambda: Tokens.of(graph, self.planner.like), CannotDropError)


KINDS: Mapping[str, type[_Copy]] = {"tf32": InTF32, "bf16": InBFloat16}


def in_bfloat16(graph: Graph, last: torch.dtype) -> Graph:
    """The graph in bfloat16; from its last weighted layers on, it computes in the type ``last``.

    Raises:
        InputError: if part of it computes in a precision of its own.
    """
    exact = behind_last_weighted(graph)
    known = {node.name: node for node in graph}
    nodes: list[Node] = []
    widened: dict[str, str] = {}
    for node in graph:
        if node.name not in exact:
            dtype = BFLOAT16 if node.dtype and node.dtype.is_floating_point else node.dtype
            nodes.append(replace(node, operation=rounded(node), dtype=dtype))
            continue
        for name in node.inputs:
            if name not in exact and name not in widened:
                widened[name] = f"{name}.widened"
                about = (node.place, graph.shapes[name])
                read = Node(name, Widen(last), (name,), *about) if name == graph.input else known[name]
                nodes.append(replace(read, name=widened[name], operation=Widen(last), inputs=(name,), dtype=last))
        nodes.append(replace(node, inputs=tuple(widened.get(name, name) for name in node.inputs)))
    return Graph(graph.input, tuple(nodes), graph.output, graph.input_shape)


def behind_last_weighted(graph: Graph) -> set[str]:
    """Names of the weighted layers that no other weighted layer follows, and of all that is behind one of them.

    All nodes, where nothing is weighted: logits would have eight bits.
    """
    leading: set[str] = set()  # values that a weighted layer is computed from
    for node in reversed(graph.nodes):
        if node.name in leading or isinstance(node.operation, Weighted):
            leading.update(node.inputs)
    found: set[str] = set()
    for node in graph:
        last = isinstance(node.operation, Weighted) and node.name not in leading
        if last or found.intersection(node.inputs):
            found.add(node.name)
    return found or {node.name for node in graph}


class Widen(Operation):
    """A value in a wider type."""

    elementwise = True

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The same values."""
        return inputs[0].to(self.dtype)


def rounded(node: Node) -> Operation:
    """The operation of a node with all that it holds in bfloat16."""
    operation = node.operation
    if isinstance(operation, Opaque) and not isinstance(operation.function, Call):
        raise InputError(f"{node.place} computes in a precision of its own")
    return _held(operation)


def _held(operation: Operation) -> Operation:
    found = copy.copy(operation)
    kept = {one.name for one in fields(operation)} if is_dataclass(operation) else set(vars(operation))
    for name in [*vars(found)]:
        if name in kept:
            object.__setattr__(found, name, _rounded(getattr(operation, name)))
        else:  # what was computed from them before
            del vars(found)[name]
    return found


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever an operation holds
    if isinstance(value, Tensor):
        return value.to(BFLOAT16) if value.is_floating_point() else value
    if isinstance(value, torch.dtype):
        return BFLOAT16 if value.is_floating_point else value
    if isinstance(value, Call):
        return Call(value.function, {name: _rounded(one) for name, one in value.arguments.items()})
    if isinstance(value, PerImage):
        return PerImage(_rounded(value.call), _rounded(value.row))
    if isinstance(value, Operation):
        return _held(value)
    if isinstance(value, list | tuple):
        return type(value)(_rounded(one) for one in value)
    return value
