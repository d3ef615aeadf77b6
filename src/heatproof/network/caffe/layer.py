"""What a layer of Caffe is to heatproof, and what builders of layers ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from heatproof.network.caffe.fields import Fields, number, whole

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


Builder = Callable[[Fields, Sequence[Shape]], Layer]
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


def input_of(layer: Fields, shapes: Sequence[Shape]) -> Shape:
    """Shape of the one input."""
    if len(shapes) != 1:
        raise layer.error(f"it must have 1 input (bottom), got {len(shapes)}")
    return shapes[0]


def map_of(layer: Fields, shapes: Sequence[Shape]) -> Shape:
    """Shape (C, H, W) of the one input."""
    shape = input_of(layer, shapes)
    if len(shape) != 3:
        raise layer.error(f"its input must be a map (channels, height, width), got {shape}")
    return shape


def fixed(said: Fields, name: str, value: int) -> None:
    """A field that heatproof can take at one value only."""
    found = said.one(name, number, float(value))
    if found != value:
        raise said.error(f"{name} must be {value}, got {found:g}; other values are not supported")


def pair(said: Fields, name: str, sides: Sequence[str], default: int | None, least: int = 0) -> tuple[int, int]:
    """Along the height and along the width: one number for both, one for each, or two fields."""
    both = said.all(name, whole(least))
    tall, wide = [said.all(side, whole(least)) for side in sides] or [[], []]
    if len(both) > 2 or (both and (tall or wide)) or bool(tall) != bool(wide):
        raise said.error(f"{name} must be one or two numbers, or {' and '.join(sides)}, each once")
    if tall:
        return tall[-1], wide[-1]
    if both:
        return both[0], both[-1]
    if default is None:
        raise said.error(f"{name} is missing")
    return default, default


def listed(shapes: Sequence[Shape]) -> str:
    """Shapes, for a message."""
    return ", ".join(map(str, shapes)) or "none"
