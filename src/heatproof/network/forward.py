"""A recorded forward pass: what every heatmap method starts from, computed once for all of them."""

from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.against import Against, asked_logit, opponents, together
from heatproof.network.attention import projections
from heatproof.network.backward import Relevance, RelevanceAccount, check_way, first_layers, interval, send_back
from heatproof.network.graph import Graph, Node
from heatproof.network.incremental import single_changes
from heatproof.network.operations import Opaque, Operation, RelevanceRule, Signals, Trace
from heatproof.network.positions import adding_positions, in_patches
from heatproof.network.rules import Box, Composite
from heatproof.network.tokens import SelfAttention

Way = Callable[[Operation, Trace, Tensor], Signals]
Step = Callable[[Node, Tensor], Signals]


class ForwardPass:
    """Images that went through a network once, with the score f(x) of each; all values are kept.

    The ways back go node by node.

    Args:
        graph: of the network; one that consists of a ``WholeModule`` knows the gradient alone.
        images: (N, C, H, W) RGB in [0, 1], as they came.
        inputs: (N, C, H, W) normalised images: what the network reads, and what every signal is with respect to.
        targets: (N,) class indices; by default the predicted classes.
        bounds: range of a normalised pixel, ``low`` and ``high`` (1, C, 1, 1).
        against: the class that targets are asked against, a number or "second", or those of all images (N,).
        attention: finds the self-attention of the graph, once for all passes.

    Attributes:
        logits: (N, classes) scores before the softmax.
    """

    def __init__(
        self,
        graph: Graph,
        images: Tensor,
        inputs: Tensor,
        targets: Tensor | None,
        bounds: tuple[Tensor, Tensor],
        *,
        against: Against | Tensor | None = None,
        attention: Callable[[], SelfAttention] | None = None,
    ) -> None:
        self.graph, self.images, self.inputs = graph, images, inputs
        self._records, self.logits = _record(graph, inputs)
        self.targets = self.logits.argmax(dim=1) if targets is None else targets
        self.low, self.high = bounds
        self._against, self._attention = against, attention

    @cached_property
    def attention(self) -> SelfAttention:
        """The layers of self-attention over all tokens.

        Raises:
            InputError: with the reason, if there are none.
        """
        return SelfAttention.of(self.graph, self.inputs) if self._attention is None else self._attention()

    @cached_property
    def against(self) -> Tensor | None:
        """(N,) the classes that the targets are asked against, if they are."""
        return None if self._against is None else opponents(self._against, self.logits, self.targets)

    @property
    def asked(self) -> Tensor:
        """(N,) the targets, or (N, 2) each with the class that it is asked against."""
        return together(self.targets, self.against)

    @cached_property
    def scores(self) -> Tensor:
        """(N,) f(x): the target's logit, minus that of the class that it is asked against, if there is one."""
        return asked_logit(self.logits, self.asked)

    def evaluated_changes(self, others: Tensor, regions: Tensor) -> Tensor:
        """(N, R) f of each image with one of its ``regions`` (H, W), 0 to R − 1, taken from ``others`` (N, C, H, W)."""
        scores = self.scores.new_empty(len(self.inputs), int(regions.max()) + 1)
        for image, region, logits in single_changes(self.graph, self.inputs.detach(), others, regions):
            scores[image, region] = asked_logit(logits, self.asked[image])
        return scores

    def record(self, node: Node) -> Trace:
        """What was read and computed by a node of the graph."""
        return self._records[node.name]

    def scores_with(self, name: str, value: Tensor) -> Tensor:
        """(N,) f with another ``value`` in the place of that named ``name``, on which alone all depends behind it."""
        values, begun = {name: value}, False
        for node in self.graph:
            if begun:
                values[node.name] = node.operation.evaluate(*[values[read] for read in node.inputs])
            begun = begun or node.name == name
        return asked_logit(values[self.graph.output], self.asked)

    @cached_property
    def gradient(self) -> Tensor:
        """(N, C, H, W) derivative of f with respect to the normalised image."""
        return self._send_back(_gradient)

    @torch.no_grad()
    def gradients_at(self, names: Collection[str]) -> dict[str, Tensor]:
        """Derivatives of f with respect to the values of these names."""
        found: dict[str, Tensor] = {}
        start = self._start(torch.ones_like(self.logits))
        send_back(self.graph, start, _keeping(self._steps(_gradient), names, found))
        return found

    @torch.no_grad()
    def gradient_between(self, signal: Tensor, end: str, start: str) -> Tensor:
        """The gradient at the value ``start`` of a signal at ``end``, through what stands between them."""
        names = [node.name for node in self.graph]
        nodes = self.graph.nodes[names.index(start) + 1 : names.index(end) + 1]
        part = Graph(start, nodes, end, self.graph.shapes[start])
        return send_back(part, signal, self._steps(_gradient))

    @cached_property
    def deconvolution(self) -> Tensor:
        """(N, C, H, W) the signal of deconvolution [Zeiler2014]."""
        check_way(self.graph, "deconvolution", "deconvolution")
        return self._send_back(_deconvolution)

    @torch.no_grad()
    def relevance(self, composite: Composite) -> Relevance:
        """Relevance of the normalised pixels under the rules of ``composite`` [Bach2015]."""
        graph = self._ruled(composite)
        account, rule = RelevanceAccount(graph, self.scores), self._rules(graph, composite)
        positions = adding_positions(graph) if composite.positions == "patch" else ()
        kept: list[tuple[Node, int, Tensor]] = []

        def step(node: Node, arriving: Tensor) -> Signals:
            leaving = node.operation.relevance(self._records[node.name], arriving, rule(node))
            account.enter(node, arriving, leaving)
            if node.name in positions and leaving[0] is not None:
                kept.append((node, len(account.flow) - 1, arriving - leaving[0]))
            return leaving

        pixels = send_back(graph, self._start(self.logits), step)
        for node, place, relevance in kept:
            of_positions = in_patches(graph, self._records, node.inputs[0], relevance)
            account.return_from(place, of_positions)
            pixels = pixels + of_positions
        return Relevance(pixels, tuple(account.flow))

    @torch.no_grad()
    def relevance_at(self, names: Collection[str], composite: Composite) -> dict[str, Tensor]:
        """Relevance of the values of these names."""
        graph, found = self._ruled(composite), dict[str, Tensor]()
        rule = self._rules(graph, composite)

        def step(node: Node, arriving: Tensor) -> Signals:
            return node.operation.relevance(self._records[node.name], arriving, rule(node))

        send_back(graph, self._start(self.logits), _keeping(step, names, found))
        return found

    def _ruled(self, composite: Composite) -> Graph:
        """The graph that relevance goes through."""
        graph = self.graph.followed if composite.softmax == "taylor" else self.graph
        check_way(graph, "relevance", "LRP")
        return graph

    def _rules(self, graph: Graph, composite: Composite) -> Callable[[Node], RelevanceRule]:
        """The rule of each node."""
        first, projecting = first_layers(graph), projections(self.graph)

        def rule(node: Node) -> RelevanceRule:
            if node.name in first:
                return self._first(node, composite.first)
            if node.name in projecting:
                return composite.projection or composite.dense
            return composite.convolution if node.role == "convolution" else composite.dense

        return rule

    def _first(self, node: Node, rule: RelevanceRule) -> RelevanceRule:
        """The rule of a layer that reads the image; the box of its inputs follows from that of the pixels."""
        if isinstance(rule, Box) and node.role is not None:
            (read,) = node.inputs
            stacked = any(other.name == read and not other.batched for other in self.graph)
            shape = (len(self.inputs) if stacked else 1, *self.graph.input_shape)  # one image's range is that of all
            return Box(*interval(self.graph, rule.low.expand(shape), rule.high.expand(shape), read))
        return rule

    @torch.no_grad()
    def _send_back(self, way: Way) -> Tensor:
        return send_back(self.graph, self._start(torch.ones_like(self.logits)), self._steps(way))

    def _steps(self, way: Way) -> Step:
        """Each node's step on a way back, from what was recorded."""

        def step(node: Node, arriving: Tensor) -> Signals:
            record = self._records[node.name]
            operation, output = node.operation, record.output
            if operation.taped and output.is_floating_point() and not output.requires_grad:
                why_not = f"autograd does not lead back through {node.place}: it cannot be differentiated"
                raise InputError(operation.why_not if isinstance(operation, WholeModule) else why_not)
            return way(operation, record, arriving)

        return step

    def _start(self, values: Tensor) -> Tensor:
        """Where a signal begins: values (N, classes) at the target, and with the other sign at the class against it."""
        classes = self.asked.reshape(len(self.targets), -1)  # (N, 1 or 2)
        signs = torch.tensor([1, -1][: classes.shape[1]]).to(values)
        return torch.zeros_like(values).scatter(1, classes, signs * values.gather(1, classes))


class WholeModule(Opaque):
    """A module that has no graph, as one operation; the gradient is the only way back through it."""

    why_not = (
        "the network cannot be differentiated, since autograd does not lead from its scores back to the image "
        "(no_grad, NumPy or quantised layers in its forward)"
    )

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """(B, classes) its scores."""
        (images,) = inputs
        try:
            return check_logits(self.function(images.clone()))  # a copy, since a module may change what it reads
        except (RuntimeError, NotImplementedError) as error:  # as NumPy is refused what autograd follows
            with torch.no_grad():
                logits = check_logits(self.function(images.detach().clone()))
            self.why_not += f": {str(error).splitlines()[0]}"
            return logits

    @classmethod
    def graph(cls, module: nn.Module, reason: str, shape: tuple[int, ...], classes: int) -> Graph:
        """The graph that consists of a module alone, for images of ``shape`` (C, H, W)."""
        node = Node("scores", cls(module, reason), ("images",), "the network as a whole", (classes,))
        return Graph("images", (node,), "scores", shape)


def _gradient(operation: Operation, record: Trace, signal: Tensor) -> Signals:
    return operation.gradient(record, signal)


def _deconvolution(operation: Operation, record: Trace, signal: Tensor) -> Signals:
    return operation.deconvolution(record, signal)


def _keeping(step: Step, names: Collection[str], found: dict[str, Tensor]) -> Step:
    """The same step; what arrives at the values of these names is kept in ``found``."""

    def keeping(node: Node, arriving: Tensor) -> Signals:
        if node.name in names:
            found[node.name] = arriving
        return step(node, arriving)

    return keeping


def check_logits(logits: Any) -> Tensor:  # noqa: ANN401 - whatever a module returned
    """The class scores, perhaps the ``logits`` of an output; refuses what is not one finite row of them per image."""
    logits = getattr(logits, "logits", logits)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError(
            f"the model must return one tensor of class scores of shape (B, classes), got {came}; wrap it in a module "
            "that returns the logits"
        )
    if not bool(torch.isfinite(logits).all()):
        raise InputError("the network's scores are not finite (NaN or infinity); are weights and preprocessing right?")
    return logits


def _record(graph: Graph, inputs: Tensor) -> tuple[dict[str, Trace], Tensor]:
    """Evaluates each node on leaves of its own, so that each can later be differentiated by itself."""
    values, records = {graph.input: inputs.detach()}, {}
    for node in graph:
        taped = node.operation.taped
        leaves = [values[name].detach() for name in node.inputs]
        read = tuple(leaf.requires_grad_(taped and leaf.is_floating_point()) for leaf in leaves)
        with torch.set_grad_enabled(taped):
            output = graph.evaluate_node(node, *read, recorded=True)
        records[node.name] = Trace(read, output)
        values[node.name] = output.detach()
    return records, values[graph.output]
