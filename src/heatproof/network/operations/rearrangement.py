"""Rearrangements: values move or are dropped, none is computed. Every way back moves them back."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from heatproof.network.operations.operation import Called, Record, Signals, operation
from heatproof.network.operations.reach import POINTWISE, Reach
from heatproof.network.rules import Rule


@operation(
    "view.default", "reshape.default", "unflatten.int", "permute.default", "transpose.int",
    "squeeze.dim", "squeeze.dims", "unsqueeze.default", "select.int", "roll.default", "pixel_unshuffle.default",
)  # fmt: skip
class Rearrangement(Called):
    """Another shape, order or part of the same values."""

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Moved back."""
        return self.gradient(record, relevance)


@operation("flatten.using_ints")
class Flatten(Rearrangement):
    """Several dimensions as one."""


@operation("slice.Tensor", "narrow.default", "channel_shuffle.default")
class Channels(Rearrangement):
    """Some of the channels, or another order of them (a part of any other dimension, too)."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, where channels are chosen."""
        return POINTWISE if self.call.arguments.get("dim", 1) in (1, -3) else None


@operation("pad.default", "constant_pad_nd.default")
class Pad(Rearrangement):
    """A border of constants, or of mirrored or repeated values."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on the one from which it was moved; a border of the map's own values is another matter."""
        given = self.call.arguments
        amounts = [*cast("Sequence[int]", given["pad"]), 0, 0, 0, 0]
        if given.get("mode", "constant") != "constant" or any(amounts[4:]) or min(amounts) < 0:
            return None
        return Reach(padding=(amounts[2], amounts[0]), fill=float(given.get("value") or 0.0))

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """The window as it is: the border is part of it."""
        return inputs[0]
