"""The registry of heatmap methods: a method is a function of a recorded forward pass.

It returns signed maps (N, H, W), or the relevance of every channel of every pixel, whose sum over channels is the map.
A wrapper makes another method of a method, and is written as a prefix: ``negated:lrp-epsilon[epsilon=1]``.
"""

from collections.abc import Callable

from torch import Tensor

from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.backward import Relevance, check_way
from heatproof.network.forward import ForwardPass
from heatproof.network.operations import Way
from heatproof.network.tokens import SelfAttention
from heatproof.registry import Registry, parse_spec

Method = Callable[..., Tensor | Relevance]  # (ForwardPass, *, options…)
Make = Callable[[Network], Method]  # the method of a network
Reads = Callable[[SelfAttention], object]  # what a method reads of self-attention; raises an InputError if it cannot

METHODS: Registry[Method] = Registry("method")
WRAPPERS: Registry[Callable[..., Method]] = Registry("prefix")  # (Make, Network, *, options…) -> Method
_WAYS: dict[str, Way] = {}
_FOLLOWED: set[str] = set()  # methods whose relevance goes on through softmaxes
_OF_ATTENTION: dict[str, Reads] = {}
MOST_PREFIXES = 10


def register(
    name: str, *, way: Way | None = None, followed: bool = False, attention: Reads | None = None
) -> Callable[[Method], Method]:
    """Decorator that makes a method known.

    Args:
        name: of the method.
        way: the way back through the network that it takes, if any.
        followed: whether relevance goes on through softmaxes.
        attention: what it reads of a transformer's self-attention, if it is a method of transformers.
    """
    if way is not None:
        _WAYS[name] = way
    if followed:
        _FOLLOWED.add(name)
    if attention is not None:
        _OF_ATTENTION[name] = attention
    return METHODS.register(name)


def of_attention(name: str) -> bool:
    """Whether a method, named without prefix and options, reads self-attention, which not every network has."""
    return name in _OF_ATTENTION


def split_prefix(spec: str) -> tuple[str, str]:
    """The first prefix, or nothing, and what it stands before; refuses more than ten of them.

    >>> split_prefix("negated:lrp-epsilon[epsilon=1]"), split_prefix("random")
    (('negated', 'lrp-epsilon[epsilon=1]'), ('', 'random'))
    """
    if spec.count(":") > MOST_PREFIXES:
        raise InputError(f"expected at most {MOST_PREFIXES} prefixes before a method, got {spec!r:.80}")
    prefix, colon, rest = spec.partition(":")
    return (prefix.strip(), rest.strip()) if colon else ("", spec.strip())


def check_one_logit(forward: ForwardPass, method: str) -> None:
    """Refuses to ask a target against another class of a method that can only explain one logit."""
    if forward.against is not None:
        raise InputError(
            f"{method} explains one logit, and not the difference of two: leave out against, or choose a method that "
            "begins at the logits, such as gradient-x-input, lrp-epsilon or zennit:EpsilonPlusFlat"
        )


def require(network: Network, method: str, shape: tuple[int, ...]) -> None:
    """Refuses a method whose way back the network has no rules for, for images of ``shape`` (C, H, W)."""
    _, _, inner = method.rpartition(":")
    name, options = parse_spec(inner)
    reason = network.without_graph(shape)
    if reason is not None and (name in _OF_ATTENTION or _WAYS.get(name, "gradient") != "gradient"):
        raise InputError(f"{method} needs the network's graph: {reason}")
    if name in _OF_ATTENTION:
        _check_attention(network, method, shape, _OF_ATTENTION[name])
    if reason is None and name in _WAYS:
        graph = network.graph(shape)
        followed = name in _FOLLOWED or options.get("softmax") == "taylor"
        check_way(graph.followed if followed else graph, _WAYS[name], method)


def _check_attention(network: Network, method: str, shape: tuple[int, ...], reads: Reads) -> None:
    try:
        reads(network.attention(shape))
    except InputError as error:
        raise InputError(
            f"{method} reads self-attention over the whole token sequence of a transformer, which it does not find in "
            f"{network.name}: {error}; choose another method for this network, such as gradient-x-input"
        ) from error
