"""A network's last squashing is cut off, so that whoever evaluates its module gets logits.

What ends a module is seen while it runs: each call of torch's goes by a mode that records it. From the scores back,
calls that only move values (flatten) or keep their order (clamp, log) are followed to a softmax or sigmoid. Run again,
the module passes by these calls, whoever runs it: an export, a method of another package, a user.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from heatproof.network.copying import loaded_again

SQUASHING = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid", "log_sigmoid", "expit", "special_expit"})
_ORDER = frozenset(
    {"log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "clamp", "clamp_min", "clamp_max", "clip", "nan_to_num"}
)
_WITH_NUMBER = frozenset({"add", "radd", "sub", "mul", "rmul", "div", "truediv", "true_divide"})
_MOVES = frozenset(
    {"flatten", "unflatten", "squeeze", "unsqueeze", "view", "reshape", "contiguous", "clone", "alias", "permute",
     "transpose", "t", "movedim", "moveaxis", "swapaxes", "swapdims", "getitem", "select", "slice", "narrow", "to",
     "float", "double", "half", "bfloat16", "type", "type_as", "view_as", "reshape_as", "dropout", "detach",
     "_to_copy"}
)  # fmt: skip
_COUNTED = SQUASHING | _ORDER | _WITH_NUMBER


class RecordedCall(NamedTuple):
    """A call of torch's: its name, its number among those that can be passed by, what it read and what it gave."""

    name: str
    number: int
    read: Any
    gave: Any
    follows: bool  # whether its value has the order of what it read


class CallRecorder(TorchFunctionMode):
    """Within this context, calls of torch's are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[RecordedCall] = []
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Calls ``func`` and records it."""
        found = func(*args, **(kwargs or {}))
        name = _name(func)
        if name in _COUNTED or name in _MOVES:
            read = _read(args, kwargs)
            self.calls.append(RecordedCall(name, self.count, read, found, _follows(name, args)))
            self.count += name in _COUNTED
        return found

    def squashing(self, scores: Tensor) -> frozenset[int]:
        """Numbers of the calls to pass by, of the last squashing and what follows it; none where there is none."""
        value, passed = scores, set()
        for call in reversed(self.calls):
            if call.gave is not value:
                continue
            if call.name in _COUNTED:
                passed.add(call.number)
            if call.name in SQUASHING:
                return frozenset(passed)
            if not call.follows:
                break
            value = call.read
        return frozenset()


class _Passing(TorchFunctionMode):
    """Within this context, calls with these numbers give back what they read."""

    def __init__(self, passed: frozenset[int]) -> None:
        super().__init__()
        self.passed = passed
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Calls ``func``, unless it is passed by."""
        if _name(func) in _COUNTED:
            self.count += 1
            if self.count - 1 in self.passed:
                return _read(args, kwargs)
        return func(*args, **(kwargs or {}))


class _Cut:
    """A class that runs its module without the last squashing; put before the class of the module."""


def _forward(kind: type[nn.Module]) -> Callable[..., Any]:
    """The ``forward`` of a module that is cut, with the arguments of its own."""

    @wraps(kind.forward)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the module's own
        kept = vars(self)  # parts of a cut Sequential (module[:2]) have its class, but are whole
        with _Passing(kept.get("_passed_calls", frozenset())):
            scores = kind.forward(self, *args, **kwargs)
        if kept.get("_takes_logarithm"):
            scores = getattr(scores, "logits", scores)
            return scores.clamp_min(torch.finfo(scores.dtype).tiny).log()
        return scores

    return forward


def cut(module: nn.Module, passed: frozenset[int]) -> nn.Module:
    """The module without these calls: itself, or a module around it where its own ``forward`` cannot be changed."""
    return _with(module, "_passed_calls", passed)


def with_logarithm(module: nn.Module) -> nn.Module:
    """The module with the logarithm of its scores: log-probabilities, which are logits shifted for each image."""
    return _with(module, "_takes_logarithm", True)


def is_cut(module: nn.Module) -> bool:
    """Whether its last squashing has been cut off: what ends it now is the network's own."""
    return "_passed_calls" in vars(module)


def cut_script(program: nn.Module) -> nn.Module | None:
    """A TorchScript program without its last squashing; nothing where it ends in none that can be found."""
    loaded = loaded_again(program)
    graph = loaded._c._get_method("forward").graph  # type: ignore[operator, union-attr]
    torch._C._jit_pass_inline(graph)
    torch._C._jit_pass_constant_propagation(graph)
    value = next(graph.return_node().inputs())
    while True:
        node = value.node()
        name = node.kind().removeprefix("aten::").rstrip("_")
        if name not in SQUASHING | _ORDER | _MOVES:
            return None
        value = next(node.inputs())
        if name in SQUASHING:
            graph.return_node().replaceInput(0, value)
            return loaded


def are_probabilities(scores: Tensor) -> bool:
    """Whether each row of (N, classes) scores is a distribution over at least two classes."""
    if scores.shape[1] < 2 or bool((scores < 0).any()):
        return False
    return bool(((scores.double().sum(dim=1) - 1).abs() <= torch.finfo(scores.dtype).eps ** 0.5).all())


def are_log_probabilities(scores: Tensor) -> bool:
    """Whether each row of (N, classes) scores is the logarithm of a distribution over at least two classes."""
    return bool((scores <= 0).all()) and are_probabilities(scores.double().exp().to(scores.dtype))


def _with(module: nn.Module, name: str, value: Any) -> nn.Module:  # noqa: ANN401
    if isinstance(module, fx.GraphModule | torch.jit.ScriptModule) or "forward" in vars(module):
        module = nn.Sequential(module)
    if not isinstance(module, _Cut):
        kind = type(module)
        kept = {"__module__": kind.__module__, "__doc__": kind.__doc__, "forward": _forward(kind)}
        module.__class__ = type(kind.__name__, (_Cut, kind), kept)
    vars(module)[name] = value
    return module


def _name(func: Callable[..., Any]) -> str:
    """``softmax`` of ``Tensor.softmax``, ``sigmoid_``, ``aten.softmax.int`` or ``__getitem__``."""
    return str(getattr(func, "__name__", "")).split(".")[0].strip("_")


def _read(args: Any, kwargs: Any) -> Any:  # noqa: ANN401
    """The first argument, by place or by name."""
    given = kwargs or {}
    return args[0] if args else given.get("input", given.get("self"))


def _follows(name: str, args: tuple[Any, ...]) -> bool:
    if name not in _WITH_NUMBER:
        return True
    number = args[1] if len(args) > 1 else None
    return isinstance(number, int | float) and (number > 0 or name in ("add", "radd", "sub"))
