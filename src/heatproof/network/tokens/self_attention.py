"""Self-attention over the whole token sequence: its layers, the patches of tokens, and the tokens that a head reads."""

from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.graph import Graph, Node
from heatproof.network.operations.arithmetic import Add
from heatproof.network.operations.attention import Attention, MatMul
from heatproof.network.operations.normalization import SampleNorm
from heatproof.network.tokens.following import Step, call_of, follow, grid_of
from heatproof.network.tokens.layout import Atom, Grid, Group, Layout, alone, is_sequence, length, tokens_of


@dataclass(frozen=True)
class Layer:
    """A layer of self-attention over all tokens.

    Attributes:
        node: the product of its weights and values.
        number: of that node in the graph.
    """

    node: Node
    number: int

    @property
    def operation(self) -> Attention | MatMul:
        """The node's operation, which knows the weights."""
        found = self.node.operation
        assert isinstance(found, Attention | MatMul), "only these are layers of attention"
        return found


@dataclass(frozen=True)
class SelfAttention:
    """The self-attention of a graph.

    Attributes:
        graph: the network.
        steps: where tokens stand in the value of each node.
        layers: of self-attention, the first one first.
        sequence: the tokens of all layers.
    """

    graph: Graph
    steps: tuple[Step, ...]
    layers: tuple[Layer, ...]
    sequence: Atom

    @classmethod
    def of(cls, graph: Graph, like: Tensor) -> "SelfAttention":
        """Finds the layers of a graph; ``like`` is in the precision and on the device of the network.

        Raises:
            InputError: with the reason, if tokens cannot be followed, or attention is not over all of them.
        """
        if not any(isinstance(node.operation, Attention | MatMul) for node in graph):
            raise InputError("it has no attention")
        steps = follow(graph, like, overlapping=True)
        grid_of(steps)
        layouts = {step.node.name: step.passed.layout for step in steps}
        found: list[tuple[Layer, Atom]] = []
        for number, step in enumerate(steps):
            sequence = _attended(step, layouts)
            if sequence is not None:
                found.append((Layer(step.node, number), sequence))
        if not found:
            raise InputError("it has no self-attention in which each token reads all others")
        layers, sequences = zip(*found, strict=True)
        made = cls(graph, steps, layers, sequences[0])
        made._check_sequence(sequences)
        return made

    @property
    def grid(self) -> Grid:
        """The patches that tokens stand for, which may overlap: each stands for the pixels between it and the next."""
        assert self.sequence.grid is not None, "tokens are those of patches"
        return self.sequence.grid

    @property
    def patches(self) -> slice:
        """Where the tokens of patches stand in the sequence."""
        return slice(self.sequence.before, self.sequence.size - self.sequence.after)

    def asked(self) -> tuple[int, ...]:
        """Numbers of the tokens whose rows of attention are read: class tokens, or else all that the head reads.

        Raises:
            InputError: if the head reads none.
        """
        read: set[int] = set()
        for step in self.steps[self.layers[-1].number + 1 :]:
            if not any(map(tokens_of, step.passed.layout)):
                for name in step.node.inputs:
                    read.update(self._read(step, self._layouts.get(name, ())))
        within = range(self.sequence.size)[self.patches]
        special = read - set(within)
        if not read:
            raise InputError("its scores read no token behind the last self-attention")
        return tuple(sorted(special or read))

    def streams(self) -> tuple[str, ...]:
        """Names of the sums behind each layer's block, of all that went past it and what it adds.

        All that follows depends on this value alone.

        Raises:
            InputError: if a block has none.
        """
        sums = [number for number in self.graph.cuts if self._is_residual(self.steps[number])]
        ends = [layer.number for layer in self.layers[1:]] + [len(self.steps)]
        found = []
        for layer, end in zip(self.layers, ends, strict=True):
            behind = [number for number in sums if layer.number < number < end]
            if not behind:
                raise InputError(f"there is no residual sum behind the attention at {layer.node.place}")
            found.append(self.steps[behind[-1]].node.name)
        return tuple(found)

    @cached_property
    def last_norm(self) -> str | None:
        """Path of the last norm of tokens before the last attention; none if there is no such module."""
        for step in reversed(self.steps[: self.layers[-1].number]):
            if isinstance(step.node.operation, SampleNorm) and self._is_whole(step.passed.layout):
                return step.node.place.partition(" (")[0]
        return None

    @cached_property
    def _layouts(self) -> dict[str, Layout]:
        return {step.node.name: step.passed.layout for step in self.steps}

    def _check_sequence(self, sequences: tuple[Atom, ...]) -> None:
        behind = self.steps[self.layers[0].number :]
        grown = [step for step in behind for atom in map(tokens_of, step.passed.layout) if atom and self._adds(atom)]
        if grown:
            place = grown[0].node.place
            raise InputError(f"tokens are added behind its first attention, as for class attention (at {place})")
        if len(set(sequences)) > 1:
            raise InputError("its layers attend to sequences of several lengths")

    def _adds(self, atom: Atom) -> bool:
        return atom.before > self.sequence.before or atom.after > self.sequence.after

    def _read(self, step: Step, layout: Layout) -> range:
        """Numbers of the tokens that a node reads whose value has none, from a value with this layout."""
        places = [(number, tokens) for number, tokens in enumerate(map(tokens_of, layout)) if tokens]
        if not places:
            return range(0)
        (dimension, tokens), *_ = places
        first, call = self.sequence.before - tokens.before, call_of(step.node.operation)
        given = {} if call is None else call.arguments
        if call is None or "dim" not in given or given["dim"] not in (dimension, dimension - len(layout)):
            return range(first, first + tokens.size)
        if call.name == "select.int":
            start, count = given["index"] % tokens.size, 1
        elif call.name in ("narrow.default", "slice.Tensor"):
            start = given["start"] or 0
            start, count = start % tokens.size, length(step.passed.layout[dimension])
        else:
            start, count = 0, tokens.size
        return range(first + start, first + start + count)

    def _is_residual(self, step: Step) -> bool:
        layouts = [step.passed.layout, *(self._layouts.get(name, ()) for name in step.node.inputs)]
        return isinstance(step.node.operation, Add) and len(layouts) == 3 and all(map(self._is_whole, layouts))

    def _is_whole(self, layout: Layout) -> bool:
        """Whether a value has all tokens, each as a vector."""
        sizes = [tokens.size for tokens in map(tokens_of, layout) if tokens]
        return len(layout) == 3 and is_sequence(layout) and sizes == [self.sequence.size]


def by_heads(weights: Tensor, batch: int) -> Tensor:
    """(N, heads, T, T) of attention's weights, however images and heads lie before queries and keys."""
    return weights.reshape(batch, -1, *weights.shape[-2:])


def _attended(step: Step, layouts: dict[str, Layout]) -> Atom | None:
    """The tokens, if a node is self-attention over them.

    Raises:
        InputError: if its images do not come first.
    """
    operation, inputs = step.node.operation, step.node.inputs
    if isinstance(operation, Attention) and {"query", "key"} <= set(operation.names):
        query, key = (layouts[inputs[operation.names.index(name)]] for name in ("query", "key"))
        around, pair = query[:-2], (query[-2], key[-2])
    elif isinstance(operation, MatMul) and operation.carrier is not None:
        weights = layouts[inputs[operation.gate_factor]]
        around, pair = weights[:-2], (weights[-2], weights[-1])
    else:
        return None
    if not all(map(tokens_of, pair)):
        return None
    tokens, other = (_plain(group) for group in pair)
    kinds = [atom.kind for group in around for atom in group]
    if tokens != other or kinds[:1] != ["batch"] or any(kinds[1:]):
        raise InputError(f"attention is not over all tokens of one image (at {step.node.place})")
    return tokens


def _plain(group: Group) -> Atom:
    return replace(alone(group, "attention over"), weighted=False)
