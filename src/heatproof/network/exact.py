"""TF32, and whatever else rounds factors, is off wherever heatproof computes, and as it was before for its caller."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

import torch

Given = ParamSpec("Given")
Found = TypeVar("Found")


@contextmanager
def multiplying(*, tf32: bool) -> Iterator[None]:
    """Within this context CUDA may round the factors of products and convolutions to ten bits, or may not.

    >>> with multiplying(tf32=False):
    ...     torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    (False, 'highest')
    """
    before: list[tuple[Switch, Any]] = []
    for switch in SWITCHES:
        with suppress(RuntimeError):  # torch refuses to read the older switches where only the newer were set
            before.append((switch, switch.read()))
    try:
        for switch, _ in before:
            switch.write(switch.on if tf32 else switch.off)
        yield
    finally:
        for switch, value in before:
            switch.write(value)


@dataclass(frozen=True)
class Switch:
    """Something of torch's that allows TF32: how it is read and written, and what it says."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    on: Any
    off: Any

    @classmethod
    def of(cls, place: Any, name: str, on: Any, off: Any) -> Self:  # noqa: ANN401 - whatever it says
        """That of an attribute."""
        return cls(lambda: getattr(place, name), lambda value: setattr(place, name, value), on, off)


_cudnn, _products = torch.backends.cudnn, torch.backends.cuda.matmul
SWITCHES = [
    Switch.of(_cudnn, "allow_tf32", True, False),
    Switch(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "high", "highest"),
]
if hasattr(_cudnn, "conv"):  # since torch 2.9, for each on its own
    _onednn: Any = torch.backends.mkldnn  # on CPUs; the older switches above change it, too
    SWITCHES += [Switch.of(place, "fp32_precision", "tf32", "ieee") for place in (_cudnn.conv, _cudnn.rnn, _products)]
    SWITCHES += [Switch.of(place, "fp32_precision", "ieee", "ieee") for place in (_onednn.conv, _onednn.matmul)]


def exactly(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Decorator: the function computes with TF32 off."""

    @wraps(function)
    def computed(*args: Given.args, **named: Given.kwargs) -> Found:
        with multiplying(tf32=False):
            return function(*args, **named)

    return computed
