"""Wider windows where values meet: evaluating a little more can cost less than keeping values to be read again."""

from collections.abc import Iterator, Mapping

from heatproof.network.graph import Graph, Node
from heatproof.network.incremental.touched import Touched

MOVING = 32  # multiply-adds that take as long as moving one value to memory or back


def widened(graph: Graph, touched: Mapping[str, Touched]) -> dict[str, Touched]:
    """The same windows, wider where that saves time.

    Where values meet (in a sum, side by side), the branches' windows may differ in size; the narrower ones would be
    kept, to be read again as far as the widest reaches. The last operations of a narrow branch are evaluated as far
    instead, if what they read is kept anyway for a window of another reader.
    """
    found = dict(touched)
    readers = _readers(graph)
    for node in reversed(graph.nodes):
        if node.name in found and len(node.inputs) > 1 and _pointwise(graph, node):
            for name in set(node.inputs):
                branch = list(_branch(graph, readers, name)) if found[name].shape == found[node.name].shape else []
                if branch and _pays(graph, branch, found[name], found[node.name]):
                    found |= {member.name: found[node.name] for member in branch}
    return found


def _readers(graph: Graph) -> dict[str, list[Node]]:
    readers: dict[str, list[Node]] = {name: [] for name in graph.shapes}
    for node in graph:
        for name in set(node.inputs):
            readers[name].append(node)
    return readers


def _branch(graph: Graph, readers: Mapping[str, list[Node]], name: str) -> Iterator[Node]:
    """The operations, last first, from a value back to one that is kept anyway; none if there is no such value."""
    branch = []
    nodes = {node.name: node for node in graph}
    while name in nodes and name != graph.output and len(readers[name]) == 1 and len(nodes[name].inputs) == 1:
        branch.append(nodes[name])
        (name,) = nodes[name].inputs
        if any(not _pointwise(graph, reader) for reader in readers[name] if reader is not branch[-1]):
            yield from branch
            return
        if not _pointwise(graph, branch[-1]):
            return


def _pays(graph: Graph, branch: list[Node], narrow: Touched, wide: Touched) -> bool:
    """Whether more multiply-adds take less time than writing the narrow window and reading the wide one."""
    more = sum(
        node.operation.multiply_adds((node.shape[0], *wide.size))
        - node.operation.multiply_adds((node.shape[0], *narrow.size))
        for node in branch
    )
    (source,) = branch[-1].inputs
    saved = branch[0].shape[0] * (narrow.area + wide.area) - graph.shapes[source][0] * (wide.area - narrow.area)
    return narrow.size != wide.size and more < MOVING * saved


def _pointwise(graph: Graph, node: Node) -> bool:
    reach = node.operation.reach(*[graph.shapes[name] for name in node.inputs])
    return reach is not None and reach.pointwise
