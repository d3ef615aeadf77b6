"""What a layer of Caffe is to heatproof, and what builders of layers ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from heatproof.network.caffe.given import Given

Shape = tuple[int, ...]  # of a value, for one image
Start = Literal["weights", "zeros", "ones"]


@dataclass(frozen=True)
class Layer:
    """A layer without its numbers.

    Attributes:
        module: on the device ``meta``.
        arrays: shape of each array in the ``.caffemodel``, in order, and what stands for it where there is none.
        state: the module's tensors by name, from these arrays.
    """

    module: nn.Module
    arrays: tuple[tuple[Shape, Start], ...] = ()
    state: Callable[..., dict[str, Tensor]] = dict


Builder = Callable[[Given, Sequence[Shape]], Layer]
F = TypeVar("F", bound=Builder)

LAYERS: dict[str, Builder] = {}
"""How a layer is built from what the text says and the shapes of its inputs, by type (old files have capitals)."""

META = torch.device("meta")


def layer(*types: str) -> Callable[[F], F]:
    """Decorator: the function builds layers of these types."""

    def register(builder: F) -> F:
        LAYERS.update(dict.fromkeys(types, builder))
        return builder

    return register


def inputs_of(given: Given, shapes: Sequence[Shape], count: int) -> Sequence[Shape]:
    """Shapes of so many inputs."""
    if len(shapes) != count:
        raise given.error(f"it must have {count} input{'s' if count > 1 else ''} (bottom), got {len(shapes)}")
    return shapes


def map_of(given: Given, shapes: Sequence[Shape]) -> Shape:
    """Shape (C, H, W) of the one input."""
    (shape,) = inputs_of(given, shapes, 1)
    if len(shape) != 3:
        raise given.error(f"its input must be a map (channels, height, width), got {shape}")
    return shape


def fixed(given: Given, name: str, value: int) -> None:
    """A field that heatproof can take at one value only."""
    found = given.number(name, value)
    if found != value:
        raise given.error(f"{name} must be {value}, got {found:g}; other values are not supported")


def pair(given: Given, name: str, tall: str, wide: str, default: int | None, least: int = 0) -> tuple[int, int]:
    """Along the height and along the width: one number for both, one for each, or two fields."""
    both = given.wholes(name, least)
    apart = [given.wholes(side, least) for side in (tall, wide)] if tall else [[], []]
    if len(both) > 2 or (both and any(apart)) or bool(apart[0]) != bool(apart[1]):
        raise given.error(f"{name} must be one or two numbers, or {tall} and {wide}, each once")
    if any(apart):
        return apart[0][-1], apart[1][-1]
    if not both:
        if default is None:
            raise given.error(f"{name} is missing")
        return default, default
    return both[0], both[-1]


def listed(shapes: Sequence[Shape]) -> str:
    """Shapes, for a message."""
    return ", ".join(map(str, shapes)) or "none"
