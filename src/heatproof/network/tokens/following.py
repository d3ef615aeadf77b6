"""Follows tokens through a graph: from patches of the image to where tokens are mixed, and on to the scores."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from heatproof.network.graph import Graph, Node
from heatproof.network.operations import Call, Opaque, Operation
from heatproof.network.operations.dense import Linear
from heatproof.network.operations.normalization import BatchNorm
from heatproof.network.operations.pooling import Pool
from heatproof.network.operations.weighted import Convolution
from heatproof.network.tokens import mixing as _mixing  # noqa: F401 - registers its rules
from heatproof.network.tokens.layout import (
    PROBE,
    Atom,
    CannotDropError,
    Grid,
    Kept,
    Layout,
    has_positions,
    is_plain,
    length,
    of_shape,
    plain,
    tokens_of,
    unweighted,
)
from heatproof.network.tokens.passing import RULES, Passed, Read, elementwise, fitted


@dataclass(frozen=True)
class Step:
    """One node, and what becomes of tokens in it."""

    node: Node
    passed: Passed

    def evaluate(self, kept: Kept, inputs: Iterable[Tensor]) -> Tensor:
        """The value, from values without the tokens that are left out."""
        if self.passed.evaluate is not None:
            return self.passed.evaluate(kept, *inputs)
        return self._whole(kept, inputs)

    def masked(self, kept: Kept, inputs: Iterable[Tensor]) -> Tensor:
        """The value, from values of all tokens, as if some were left out."""
        if self.passed.masked is not None:
            return self.passed.masked(kept, *inputs)
        return self._whole(kept, inputs)

    def _whole(self, kept: Kept, inputs: Iterable[Tensor]) -> Tensor:
        call = call_of(self.node.operation)
        if call is None or not call.sized:
            return self.node.operation.evaluate(*inputs)
        value = call.for_batch(kept.batch, *inputs)
        first: Tensor = value[0] if isinstance(value, tuple) else value
        return first


class Shortened(Operation):
    """An operation whose value has no token of a patch, so that none can be left out of it."""

    def passed(self, layout: Layout) -> Passed:
        """What becomes of the tokens of its first input."""
        raise NotImplementedError


class Beside(Shortened):
    """The tokens that stand for no patch, such as a class token.

    Args:
        dimension: of the value, that of tokens.
        tokens: all of them.
    """

    def __init__(self, dimension: int, tokens: Atom) -> None:
        self.dimension, self.tokens = dimension, tokens

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The tokens before and behind those of patches; some patches may have lost theirs already."""
        (value,), along, tokens = inputs, self.dimension, self.tokens
        parts = [value.narrow(along, 0, tokens.before), value.narrow(along, -tokens.after, tokens.after)]
        return torch.cat(parts, dim=along) if tokens.before and tokens.after else parts[not tokens.before]

    def passed(self, layout: Layout) -> Passed:
        """Those along its dimension are no patches'."""
        found = list(layout)
        found[self.dimension] = plain(self.tokens.length(1, 0))
        return Passed(tuple(found))


def follow(graph: Graph, like: Tensor, *, overlapping: bool = False) -> tuple[Step, ...]:
    """What becomes of tokens in each node; ``like`` is in the precision and on the device of the network.

    Patches may be ``overlapping``, or reach beyond the image, where no token has to be left out.

    Raises:
        CannotDropError: with the reason, if they cannot be followed.
    """
    _, height, width = graph.input_shape
    layouts: dict[str, Layout] = {
        graph.input: (
            (Atom(PROBE, "batch"),),
            plain(graph.input_shape[0]),
            (Atom(height, "rows"),),
            (Atom(width, "columns"),),
        )
    }
    steps = []
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():  # shapes are found, nothing is computed
        images = torch.empty(PROBE, *graph.input_shape, dtype=like.dtype, device=like.device)
        for node, (_, value) in zip(graph, graph.visit(images), strict=True):
            try:
                read = tuple(layouts[name] for name in node.inputs)
                if isinstance(node.operation, Shortened):
                    passed = node.operation.passed(read[0])
                else:
                    passed = _passed(graph, node, read, tuple(value.shape), overlapping)
            except CannotDropError as error:
                raise CannotDropError(f"{error} (at {node.place})") from None
            layouts[node.name] = passed.layout
            steps.append(Step(node, passed))
    return tuple(steps)


def call_of(operation: Operation) -> Call | None:
    """The call that an operation evaluates, if it is one."""
    found = operation.function if isinstance(operation, Opaque) else getattr(operation, "call", None)
    return found if isinstance(found, Call) and isinstance(found.function, torch._ops.OpOverload) else None


def _passed(graph: Graph, node: Node, layouts: tuple[Layout, ...], shape: tuple[int, ...], overlapping: bool) -> Passed:
    operation, call = node.operation, call_of(node.operation)
    if not any(map(has_positions, layouts)):
        return Passed(of_shape(shape))
    if isinstance(operation, Convolution | Pool):
        return Passed(_patches(operation, layouts[0], graph.shapes[node.inputs[0]], shape, overlapping))
    if isinstance(operation, Linear):
        return Passed(_over_channels(layouts[0], shape))
    if isinstance(operation, BatchNorm):
        if not is_plain(layouts[0][1]):
            raise CannotDropError("a batch norm has values for each token")
        return Passed(unweighted(layouts[0]))
    if isinstance(operation, Opaque) and operation.index is not None:
        raise CannotDropError("several results are computed at once")
    if call is not None and call.name in RULES:
        found = RULES[call.name](Read(call, layouts, shape))
    elif call is not None and (operation.elementwise or torch.Tag.pointwise in call.function.tags):
        found = elementwise(Read(call, layouts, shape))
    elif operation.elementwise and not any(_meets(constant, layouts[0]) for constant in operation.constants):
        found = Passed(unweighted(layouts[0]))
    else:
        raise CannotDropError(_reason(call))
    assert tuple(map(length, found.layout)) == shape, (node.name, found.layout, shape)
    return found


def _meets(constant: Tensor, layout: Layout) -> bool:
    """Whether a constant has a value for each token."""
    own = of_shape(constant.shape)
    return any(tokens_of(group) for group in fitted(own, layout))


def _over_channels(layout: Layout, shape: tuple[int, ...]) -> Layout:
    if not is_plain(layout[-1]):
        raise CannotDropError("tokens are mixed by fixed weights, one for each place, as a dense layer or a mixer does")
    return (*unweighted(layout)[:-1], plain(shape[-1]))


def _patches(
    operation: Convolution | Pool, layout: Layout, read: tuple[int, ...], shape: tuple[int, ...], overlapping: bool
) -> Layout:
    """The map after a convolution, or pooling, of patches of the map before."""
    kinds = [tuple(atom.kind for atom in group) for group in layout[-2:]]
    if len(layout) != 4 or kinds != [("rows",), ("columns",)] or not is_plain(layout[1]):
        raise CannotDropError("a convolution over tokens")
    reach = operation.reach(read)
    tiles = reach is not None and reach.padding == (0, 0) and all(map(_tiled, reach.size, reach.stride))
    if reach is None or not (tiles or overlapping):
        side = " × ".join(map(str, reach.size)) if reach else "several"
        raise CannotDropError(
            f"patches of {side} positions that overlap, or reach beyond the image, are read, so that no token belongs "
            "to one patch alone"
        )
    sides = []
    for group, stride, size in zip(layout[2:], reach.stride, shape[2:], strict=True):
        sides.append((replace(group[0], size=size, patch=group[0].patch * stride),))
    return (layout[0], plain(shape[1]), *sides)


def _tiled(size: int, stride: int) -> bool:
    return size <= stride


def _reason(call: Call | None) -> str:
    name = "this operation" if call is None else call.name.split(".")[0]
    if name == "roll":
        return "tokens are moved, as by shifted windows"
    if name in ("index", "index_select", "gather"):
        return "tokens are reordered by number, as by windows"
    return f"heatproof cannot follow tokens through {name}"


def grid_of(steps: Iterable[Step]) -> Grid:
    """The patches that tokens stand for.

    Raises:
        CannotDropError: if there are no tokens.
    """
    grids = {atom.grid for step in steps for group in step.passed.layout for atom in group if atom.grid}
    if len(grids) != 1:
        raise CannotDropError("it has no token sequence")
    return next(iter(grids))
