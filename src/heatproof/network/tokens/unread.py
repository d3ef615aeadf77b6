"""Tokens that no score reads: what only they would compute behind the last attention is left out of evaluations."""

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.graph import Graph, Node
from heatproof.network.operations.attention import Attention, MatMul
from heatproof.network.tokens.following import Beside, Shortened, Step, follow
from heatproof.network.tokens.layout import Kept, Layout, alone, length, tokens_of, without_patches
from heatproof.network.tokens.passing import Passed


def without_unread(graph: Graph, like: Tensor) -> Graph:
    """The graph of the same scores in which, behind the last attention, no patch has a token.

    Where a class token alone is read, as in ViT and DeiT, this saves the last projection and the last MLP of all
    others: a part in 14 of ViT-B/16. It is the same graph where patches' tokens are read, or cannot be followed.
    ``like`` is in the precision and on the device of the network.
    """
    if not any(isinstance(node.operation, Attention | MatMul) for node in graph):
        return graph
    try:
        steps = follow(graph, like, overlapping=True)
        mixing = [number for number, step in enumerate(steps) if step.passed.mixes]
        layouts = {step.node.name: step.passed.layout for step in steps}
        if not mixing or not _row_by_row(steps[mixing[-1]], layouts):
            return graph
        return graph.with_nodes(_cut(steps, mixing[-1], layouts), graph.output)
    except InputError:  # as for windows of tokens
        return graph


def _row_by_row(step: Step, layouts: dict[str, Layout]) -> bool:
    """Whether a node is attention, and each row of its first input, queries or weights, becomes its token's value."""
    if not isinstance(step.node.operation, Attention | MatMul) or step.passed.evaluate is not None:
        return False
    asking, *others = (layouts.get(name, ())[-2:-1] for name in step.node.inputs)
    masks = others[2:]  # behind keys and values; one that the network computes may have a row for each query
    if any(tokens_of(group) for rows in masks for group in rows):
        return False
    asked = step.passed.layout[-2:-1]
    return asking == asked and any(map(tokens_of, asked))


def _cut(steps: tuple[Step, ...], attention: int, layouts: dict[str, Layout]) -> tuple[Node, ...]:
    """All nodes; from the last attention on, what is computed of tokens is computed of those beside the patches'."""
    known = {step.node.name: step.node for step in steps}
    nodes = [step.node for step in steps[:attention]]
    cut: dict[str, str] = {}  # names of values without patches' tokens, by those of the nodes with them

    def beside(name: str, dimension: int | None) -> str:
        if name not in cut and dimension is not None:
            chosen = Beside(dimension, alone(layouts[name][dimension], "reads"))
            lengths = [*[1] * known[name].batched, *known[name].shape]
            lengths[dimension] = chosen.tokens.length(1, 0)
            cut[name] = f"{name}.beside"
            nodes.append(_resized(replace(known[name], name=cut[name], operation=chosen, inputs=(name,)), lengths))
        return cut.get(name, name)

    for number, step in enumerate(steps[attention:]):
        asking, *others = step.node.inputs
        if number == 0:  # keys and values are those of all tokens
            node = replace(step.node, inputs=(beside(asking, -2), *others))
        elif any(name in cut for name in step.node.inputs):
            inputs = tuple(beside(name, _place(layouts.get(name, ()))) for name in step.node.inputs)
            read = next((number, layouts[name]) for number, name in enumerate(step.node.inputs) if name in cut)
            node = replace(step.node, operation=WithoutPatches(step, *read), inputs=inputs)
        else:
            nodes.append(step.node)
            continue
        nodes.append(_resized(node, [length(group, 1, 0) for group in step.passed.layout]))
        if _place(step.passed.layout) is not None:
            cut[step.node.name] = step.node.name
    return tuple(nodes)


def _place(layout: Layout) -> int | None:
    """The dimension of tokens, if there is one."""
    return next((number for number, group in enumerate(layout) if tokens_of(group)), None)


def _resized(node: Node, lengths: list[int]) -> Node:
    """The node with a value of this shape, for one image."""
    return replace(node, shape=tuple(lengths[1:] if node.batched else lengths))


class WithoutPatches(Shortened):
    """An operation, where no patch has a token.

    Args:
        step: the operation, and what becomes of tokens in it.
        place: which of its inputs has tokens, and none of patches.
        layout: of that input.
    """

    def __init__(self, step: Step, place: int, layout: Layout) -> None:
        self.step, self.place, self.layout = step, place, layout

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The value, from values without the tokens of patches."""
        value = inputs[self.place]
        (images,) = (
            value.shape[number] // prod(atom.length(1, 0) for atom in group)
            for number, group in enumerate(self.layout)
            if any(atom.kind == "batch" for atom in group)
        )
        return self.step.evaluate(Kept(torch.empty(images, 0, dtype=torch.long, device=value.device)), inputs)

    def passed(self, layout: Layout) -> Passed:
        """What becomes of tokens in the operation."""
        return Passed(without_patches(self.step.passed.layout))

    def multiply_adds(self, shape: tuple[int, ...]) -> int:
        """Those of the operation."""
        return self.step.node.operation.multiply_adds(shape)
