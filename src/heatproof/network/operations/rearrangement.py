"""Rearrangements: values move or are dropped, none is computed. Every way back moves them back."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from heatproof.network.operations.call import Call
from heatproof.network.operations.operation import POINTWISE, Called, Opaque, Operation, Reach, operation


@operation(
    "view.default", "reshape.default", "unflatten.int", "permute.default", "transpose.int", "movedim.int", "t.default",
    "swapaxes.default", "swapdims.default", "movedim.intlist", "moveaxis.int", "moveaxis.intlist",
    "mT.default", "adjoint.default", "numpy_T.default",
    "squeeze.dim", "squeeze.dims", "squeeze.default", "unsqueeze.default", "select.int", "roll.default", "flip.default",
    "pixel_shuffle.default", "pixel_unshuffle.default", "index_select.default", "repeat.default", "tile.default",
    "repeat_interleave.self_int", "unfold.default", "im2col.default", "upsample_nearest2d.vec",
    "upsample_nearest2d.default",
)  # fmt: skip
class Rearrangement(Called):
    """Another shape, order, part or number of the same values."""

    passes = "moved"  # summed where a value was repeated
    monotone = True


@operation("expand.default", "broadcast_to.default")
class Expand(Rearrangement):
    """The values repeated along more positions, without a copy."""


@operation("index.Tensor")
class Index(Rearrangement):
    """The values at given positions."""

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """Reads by constant positions; no rule leads back through those that the network computes."""
        return (
            cls(call)
            if len(call.variables) == 1
            else Opaque(call, "no rule is defined where a network chooses what it reads")
        )


@operation("upsample_bilinear2d.vec", "upsample_bilinear2d.default")
class Interpolation(Called):
    """A larger or smaller map of means of neighbouring values; relevance in proportion to what each of them adds."""

    passes = "in proportion"
    monotone = True


@operation("upsample_bicubic2d.vec", "upsample_bicubic2d.default")
class CubicInterpolation(Interpolation):
    """The same with weights that may be negative."""

    monotone = False


@operation("col2im.default")
class Overlap(Called):
    """Patches laid over each other and added; relevance in proportion to what each of them adds."""

    passes = "in proportion"
    monotone = True


@operation("to.dtype")
class Cast(Rearrangement):
    """The values in another precision."""

    elementwise = True
    pointwise = True


@operation("flatten.using_ints")
class Flatten(Rearrangement):
    """Several dimensions as one."""

    def apart(self, *shapes: tuple[int, ...]) -> bool:
        """Channels are, where each has one value."""
        return all(size == 1 for size in shapes[0][1:])


@operation("slice.Tensor", "narrow.default", "channel_shuffle.default")
class Channels(Rearrangement):
    """Some of the channels, or another order of them (a part of any other dimension, too)."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """Its own position, where channels are chosen."""
        return POINTWISE if self.chooses_channels() else None


@operation("pad.default", "constant_pad_nd.default")
class Pad(Rearrangement):
    """A border of constants, or of mirrored or repeated values."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """The position from which a value was moved; a border of the map's own values is another matter."""
        given = self.call.arguments
        amounts = [*cast("Sequence[int]", given["pad"]), 0, 0, 0, 0]
        if given.get("mode", "constant") != "constant" or any(amounts[4:]) or min(amounts) < 0:
            return None
        return Reach(padding=(amounts[2], amounts[0]), fill=float(given.get("value") or 0.0))

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """The window as it is: the border is part of it."""
        return inputs[0]


@operation(
    "slice_scatter.default", "select_scatter.default", "copy.default", "fill.Scalar", "fill.Tensor",
    "masked_fill.Scalar",
)  # fmt: skip
class Insertion(Called):
    """Some of the values replaced by others; every way back goes to the values that are left, and to the others."""

    passes = "moved"
